#include "kas/front.h"

#include <string_view>
#include <utility>

#include "http/error_response.h"
#include "http/simple.h"
#include "http/websocket.h"
#include "io/stream.h"

namespace towline::kas {
namespace {

bool is_git(std::string_view path) {
  return path.find(".git/") != std::string_view::npos &&
         (path.ends_with("/info/refs") || path.ends_with("/git-upload-pack") ||
          path.ends_with("/git-receive-pack") || path.ends_with("/HEAD") ||
          path.find(".git/objects/") != std::string_view::npos);
}

bool is_agent_path(std::string_view path) {
  return path == "/-/kubernetes-agent" || path == "/-/kubernetes-agent/";
}

}  // namespace

void Front::on_request(http::RequestHead head, bool has_body,
                       std::unique_ptr<http::ServerExchange> exchange) {
  const Routes* const routes = routes_.load(std::memory_order_acquire);
  if (routes == nullptr) return http::send(*exchange, http::error_response(503, "the server is starting"));
  if (auto client = proxies_.client_of(exchange->peer(), head.headers))
    exchange->set_peer(std::move(*client));
  if (grpc::Server::is_grpc(head))
    return routes->grpc->on_request(std::move(head), has_body, std::move(exchange));
  const std::string_view path = head.path();
  if (routes->proxy->owns(path))
    return routes->proxy->on_request(std::move(head), has_body, std::move(exchange));
  if ((path == "/" || is_agent_path(path)) && !head.upgrade.empty()) {
    io::Loop& loop = exchange->loop();
    auto stream = http::accept_websocket(head, std::move(exchange), http::kTunnelProtocol);
    if (stream != nullptr) routes->tunnel(loop, std::move(stream));
    return;
  }
  if (path.starts_with("/api/"))
    return routes->api->on_request(std::move(head), has_body, std::move(exchange));
  if (is_git(path)) return routes->git->on_request(std::move(head), has_body, std::move(exchange));
  // Whoever speaks to these means the server, and would take the web page for an answer.
  if (is_agent_path(path) || path == "/api")
    return http::send(*exchange, http::json_message(404, "404 Not Found"));
  routes->web->on_request(std::move(head), has_body, std::move(exchange));
}

}  // namespace towline::kas
