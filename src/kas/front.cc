#include "kas/front.h"

#include <string_view>
#include <utility>

#include "http/error_response.h"
#include "http/simple.h"
#include "http/websocket.h"
#include "io/stream.h"
#include "modules/kubernetes_api/server/status_reply.h"

namespace towline::kas {
namespace {

bool is_git(std::string_view path) {
  return path.find(".git/") != std::string_view::npos &&
         (path.ends_with("/info/refs") || path.ends_with("/git-upload-pack") ||
          path.ends_with("/git-receive-pack") || path.ends_with("/HEAD") ||
          path.find(".git/objects/") != std::string_view::npos);
}

void refuse(http::ServerExchange& exchange, const std::string& proxy_url) {
  kubernetes_api::reply(exchange,
                        {404, "nothing is at this path; the server in a kubeconfig is " + proxy_url +
                                  "/, with \"Bearer pat:<agent id>:<token>\" for its user's token"});
}

bool is_agent_path(std::string_view path) {
  return path == "/-/kubernetes-agent" || path == "/-/kubernetes-agent/";
}

// Whether a client of Kubernetes asks, by what it takes or what it calls itself.
bool is_kubernetes_client(const http::Headers& headers) {
  const std::string_view agent = headers.get("user-agent").value_or("");
  if (agent.starts_with("kubectl") || agent.find("kubernetes/") != std::string_view::npos) return true;
  const std::string_view accept = headers.get("accept").value_or("");
  const auto takes = [&](std::string_view type) { return accept.find(type) != std::string_view::npos; };
  return (takes("application/json") || takes("application/vnd.kubernetes") || takes("application/yaml")) &&
         !takes("text/html");
}

// Paths at which nothing is, and which are asked for by those who mean a cluster's API or the agents' door.
// The web page would answer them by itself, which a program takes for an answer.
bool is_misspelt(std::string_view path) {
  const bool api = path == "/api" || (path.starts_with("/api/") && !path.starts_with("/api/v4") &&
                                      !path.starts_with("/api/graphql"));
  const bool page = path.starts_with("/-/user_settings");
  return api || path.starts_with("//") || (path.starts_with("/-/") && !page) || path == "/-" ||
         path.starts_with("/k8s-proxy");
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
    // Browsers name the page that opens a WebSocket, and no agent does.
    if (head.headers.get("origin")) {
      return http::send(
          *exchange, http::json_message(403, "web pages may not open tunnels: this address is for agents"));
    }
    io::Loop& loop = exchange->loop();
    auto stream = http::accept_websocket(head, std::move(exchange), http::kTunnelProtocol);
    if (stream != nullptr) routes->tunnel(loop, std::move(stream));
    return;
  }
  if (is_misspelt(path)) return refuse(*exchange, routes->proxy_url);
  if (path.starts_with("/api/"))
    return routes->api->on_request(std::move(head), has_body, std::move(exchange));
  if (is_git(path)) return routes->git->on_request(std::move(head), has_body, std::move(exchange));
  if (is_kubernetes_client(head.headers)) return refuse(*exchange, routes->proxy_url);
  routes->web->on_request(std::move(head), has_body, std::move(exchange));
}

}  // namespace towline::kas
