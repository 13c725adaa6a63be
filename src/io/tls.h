#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "io/dial.h"
#include "io/stream.h"

namespace towline::io {

class Loop;

/// A certificate chain and its key, both PEM.
struct TlsIdentity {
  std::string certificate_chain;
  Secret private_key;
};

/// What a TLS client trusts and shows. TLS 1.2 and up.
struct TlsClientOptions {
  /// PEM certificates; empty: the system's store.
  std::string ca;
  /// Also trust the system's store beside `ca`.
  bool add_system_ca = false;
  TlsIdentity identity;  // empty: none is shown
  bool insecure_skip_verify = false;
};

struct TlsServerOptions {
  TlsIdentity identity;
  /// PEM; set: clients must show a certificate signed by one of these.
  std::string client_ca;
  /// ALPN in order of preference. A client that offers only others is refused, one that offers none is not.
  std::vector<std::string> alpn = {"h2", "http/1.1"};
};

/// Settings of TLS clients, shared by their connections. Immutable; safe from any thread.
class TlsClientContext {
 public:
  static Result<std::shared_ptr<TlsClientContext>> create(const TlsClientOptions& options);
  virtual ~TlsClientContext() = default;
};

/// Settings of a TLS listener. `replace` swaps certificate and key for the connections that come after;
/// running ones keep theirs. Safe from any thread.
class TlsServerContext {
 public:
  static Result<std::shared_ptr<TlsServerContext>> create(const TlsServerOptions& options);
  virtual ~TlsServerContext() = default;
  virtual Status replace(const TlsServerOptions& options) = 0;
};

/// Shakes hands as client over `lower`; gives the protected stream, or an error that names the peer,
/// OpenSSL's reason and what it means: "TLS handshake with kas.example.com (192.0.2.1:443): certificate
/// verify failed: self-signed certificate in certificate chain: the server's CA is not trusted".
///
/// Protected streams report kEof for close_notify and also for a TCP end without it: many clients leave it
/// out, and what is read here (HTTP) frames its messages itself and so notices truncation. After a peer's
/// handshake is done TLS 1.3 may still refuse us (a missing client certificate): then the first read fails.
std::unique_ptr<Operation> tls_connect(Loop& loop, std::unique_ptr<Stream> lower,
                                       std::shared_ptr<TlsClientContext> context, std::string server_name,
                                       std::vector<std::string> alpn, std::chrono::milliseconds timeout,
                                       StreamCallback callback);

/// Shakes hands as server over `lower`.
std::unique_ptr<Operation> tls_accept(Loop& loop, std::unique_ptr<Stream> lower,
                                      std::shared_ptr<TlsServerContext> context,
                                      std::chrono::milliseconds timeout, StreamCallback callback);

/// A fresh CA (ECDSA P-256, 10 years) that signs leaf certificates only.
Result<TlsIdentity> make_ca(std::string_view common_name);
/// A server certificate for DNS names ("*.example.com" too) and IP addresses, signed by `ca`; the chain holds
/// the leaf only. A name that is neither is an error.
Result<TlsIdentity> make_server_certificate(const TlsIdentity& ca, const std::vector<std::string>& names,
                                            std::chrono::hours lifetime);
/// A client certificate for mTLS, signed by `ca`.
Result<TlsIdentity> make_client_certificate(const TlsIdentity& ca, std::string_view common_name,
                                            std::chrono::hours lifetime);
/// True when a PEM certificate covers all of `names` and is valid for another `margin`.
bool certificate_covers(std::string_view certificate, const std::vector<std::string>& names,
                        std::chrono::hours margin);

}  // namespace towline::io
