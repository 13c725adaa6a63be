#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/headers.h"
#include "io/network.h"

namespace towline::http {

/// The address in "192.0.2.1:443" or "[2001:db8::1]:443" as io::address_bytes() gives it; empty for none.
std::string peer_bytes(std::string_view peer);

/// The reverse proxies whose word about where a request comes from counts. Anybody can send X-Forwarded-For:
/// without this list it means nothing. A value; safe to read from any thread.
class TrustedProxies {
 public:
  /// None.
  TrustedProxies() = default;
  /// Addresses ("192.0.2.1") and networks ("10.0.0.0/8"); an error names the one that is neither.
  static Result<TrustedProxies> parse(const std::vector<std::string>& networks);

  /// The address of the client that speaks through `peer` ("192.0.2.1:443"): "203.0.113.9" or
  /// "[2001:db8::1]". Nothing where `peer` is not trusted or says nothing useful, and so is the client
  /// itself.
  ///
  /// X-Forwarded-For is read from its end, where the nearest proxy has written, as far as each address is
  /// trusted in turn; what stands before the first that is not is the client's own invention.
  std::optional<std::string> client_of(std::string_view peer, const Headers& headers) const;

  /// Whether `peer` ("192.0.2.1:443") is one of them.
  bool has(std::string_view peer) const;

 private:
  bool trusts(std::string_view bytes) const;

  std::vector<io::Network> networks_;
};

}  // namespace towline::http
