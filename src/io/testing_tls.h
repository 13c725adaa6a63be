#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/testing.h"
#include "io/tls.h"

namespace towline::io::testing {

/// A CA, a server certificate of it for "kas.example.com" and 127.0.0.1, and contexts that fit.
struct TlsSetup {
  TlsSetup() {
    server_options.identity =
        make_server_certificate(ca, {"kas.example.com", "*.wild.example.com", "127.0.0.1", "::1"},
                                std::chrono::hours(24))
            .value();
    client_options.ca = ca.certificate_chain;
  }
  std::shared_ptr<TlsServerContext> server() const {
    return TlsServerContext::create(server_options).value();
  }
  std::shared_ptr<TlsClientContext> client() const {
    return TlsClientContext::create(client_options).value();
  }

  TlsIdentity ca = make_ca("test CA").value();
  TlsServerOptions server_options;
  TlsClientOptions client_options;
};

/// What became of both ends of a handshake.
struct Shaken {
  std::optional<Result<std::unique_ptr<Stream>>> client;
  std::optional<Result<std::unique_ptr<Stream>>> server;

  std::string client_error() const {
    return !client ? "pending" : client->has_value() ? "" : client->error().message();
  }
  std::string server_error() const {
    return !server ? "pending" : server->has_value() ? "" : server->error().message();
  }
  Ends ends() { return {std::move(client->value()), std::move(server->value())}; }
};

/// Shakes hands over `lower`.
inline Shaken shake(Loop& loop, Ends lower, std::shared_ptr<TlsClientContext> client,
                    std::shared_ptr<TlsServerContext> server, const std::string& name = "kas.example.com",
                    const std::vector<std::string>& alpn = {}) {
  Shaken shaken;
  const std::chrono::seconds timeout(30);
  auto connecting = tls_connect(loop, std::move(lower.first), std::move(client), name, alpn, timeout,
                                [&](Result<std::unique_ptr<Stream>> r) { shaken.client = std::move(r); });
  auto accepting = tls_accept(loop, std::move(lower.second), std::move(server), timeout,
                              [&](Result<std::unique_ptr<Stream>> r) { shaken.server = std::move(r); });
  run_until(loop, [&] { return shaken.client && shaken.server; });
  return shaken;
}

/// Both ends of TLS over `lower`.
inline Ends tls_over(Loop& loop, Ends lower) {
  const TlsSetup setup;
  return shake(loop, std::move(lower), setup.client(), setup.server()).ends();
}

}  // namespace towline::io::testing
