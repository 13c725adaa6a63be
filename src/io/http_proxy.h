#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "base/url.h"
#include "io/dial.h"
#include "io/network.h"

namespace towline::io {

/// Which connections go through an HTTP proxy, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say it, in upper or
/// lower case (upper first). Values.
class ProxySettings {
 public:
  using Environment = std::function<const char*(const char* name)>;

  ProxySettings() = default;  // none
  /// INVALID_ARGUMENT naming the variable, without its value: that may hold a password.
  static Result<ProxySettings> from_environment(const Environment& environment);

  /// The proxy for a connection to a host, with TLS (HTTPS_PROXY) or without (HTTP_PROXY); null: none. Never
  /// one for localhost and loopback addresses.
  ///
  /// NO_PROXY is a list with commas: "*"; a host, which stands for its subdomains too; ".example.com" for the
  /// subdomains alone; an address; a network, "10.0.0.0/8"; each but a network with a port,
  /// "kas.example.com:443".
  const Url* proxy_for(std::string_view host, std::uint16_t port, bool tls) const;

  bool any() const { return https_.has_value() || http_.has_value(); }

 private:
  struct Exception {
    std::string host;  // lower case; empty for a network
    bool subdomains_only = false;
    std::uint16_t port = 0;  // 0: any
    Network network;         // empty for a host
  };

  void parse_exceptions(std::string_view text);
  bool excepted(std::string_view host, std::uint16_t port) const;

  std::optional<Url> http_, https_;
  bool never_ = false;  // NO_PROXY has "*"
  std::vector<Exception> exceptions_;
};

/// Dials through the proxy that `settings` name for a target, by CONNECT (RFC 9110, section 9.3.6), and
/// directly where there is none. The proxy resolves the target's name. A proxy whose URL begins with https://
/// is spoken to by TLS, with `proxy_tls`. Errors name the proxy and what it said. `direct` outlives the
/// dialer.
std::unique_ptr<Dialer> proxy_dialer(Dialer& direct, ProxySettings settings,
                                     std::shared_ptr<TlsClientContext> proxy_tls);

/// The same through one proxy for every target.
std::unique_ptr<Dialer> connect_dialer(Dialer& direct, Url proxy,
                                       std::shared_ptr<TlsClientContext> proxy_tls);

}  // namespace towline::io
