#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/openssl.h"
#include "io/tls.h"

namespace towline::io {

/// The one implementation of TlsClientContext.
class ClientContext final : public TlsClientContext {
 public:
  ClientContext(SslCtxPtr context, bool verify) : context_(std::move(context)), verify_(verify) {}
  /// A connection that will accept only `server_name`, a DNS name or IP address.
  Result<SslPtr> connection(const std::string& server_name, const std::vector<std::string>& alpn) const;

 private:
  SslCtxPtr context_;
  bool verify_;
};

/// The settings that one server connection is made from.
struct ServerSettings {
  SslCtxPtr context;
  std::string alpn;  // as on the wire: each name behind its length; the context refers to it
};

/// The one implementation of TlsServerContext.
class ServerContext final : public TlsServerContext {
 public:
  explicit ServerContext(std::shared_ptr<const ServerSettings> settings) : settings_(std::move(settings)) {}
  Status replace(const TlsServerOptions& options) override;
  /// What new connections use. The holder keeps it until the handshake is over.
  std::shared_ptr<const ServerSettings> settings() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ServerSettings> settings_;
};

}  // namespace towline::io
