#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "grpc/server.h"
#include "http/exchange.h"
#include "http/trusted_proxies.h"
#include "modules/kubernetes_api/server/proxy.h"

namespace towline::kas {

/// What a request can be for.
struct Routes {
  http::RequestHandler* api = nullptr;
  http::RequestHandler* git = nullptr;
  kubernetes_api::Proxy* proxy = nullptr;
  grpc::Server* grpc = nullptr;
  /// What nobody else answers.
  http::RequestHandler* web = nullptr;
  /// What the proxy is called in a kubeconfig, for those who look elsewhere.
  std::string proxy_url;
  /// Takes the byte stream of a WebSocket, on its loop.
  std::function<void(io::Loop&, std::unique_ptr<io::Stream>)> tunnel;
};

/// Sends each request of the shared port where it belongs: by content type (gRPC), upgrade (WebSocket) or
/// path.
class Front final : public http::RequestHandler {
 public:
  /// Whose X-Forwarded-For is believed.
  explicit Front(http::TrustedProxies proxies) : proxies_(std::move(proxies)) {}

  /// Before this, requests are answered 503. `routes` outlives the front.
  void open(const Routes& routes) { routes_.store(&routes, std::memory_order_release); }
  void on_request(http::RequestHead head, bool has_body,
                  std::unique_ptr<http::ServerExchange> exchange) override;

 private:
  const http::TrustedProxies proxies_;
  std::atomic<const Routes*> routes_{nullptr};
};

}  // namespace towline::kas
