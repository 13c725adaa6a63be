#include "modules/kubernetes_api/server/request_header.h"

#include "base/encoding.h"
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

namespace grpctool = ::gitlab::agent::grpctool;
namespace prototool = ::gitlab::agent::prototool;

constexpr std::string_view kExtraType = "type.googleapis.com/gitlab.agent.kubernetes_api.rpc.HeaderExtra";

// An API server with a front proxy believes X-Remote-* of those who show its certificate, and the agent may.
bool is_for_cluster(std::string_view name) {
  return !name.starts_with("x-remote-") && !name.starts_with("x-forwarded-");
}

// The target as original agents take it: path and query decoded, parameters of the web page left out.
void add_decoded_target(std::string_view target, prototool::HttpRequest& request) {
  const std::string_view path = target.substr(0, target.find('?'));
  request.set_url_path(percent_decode(path).value_or(std::string(path)));
  if (path.size() == target.size()) return;
  auto& query = *request.mutable_query();
  query_to_map(target.substr(path.size() + 1), query);
  query.erase("gitlab-agent-id");
  query.erase("gitlab-csrf-token");
}

}  // namespace

std::string request_header(http::RequestHead& head, bool has_body, std::string_view prefix,
                           const std::string& extra) {
  HeaderArena arena;
  auto& message = arena.make<grpctool::HttpRequest>();
  auto& header = *message.mutable_header();
  auto& request = *header.mutable_request();
  request.set_method(head.method);
  const std::string_view target = std::string_view(head.target).substr(prefix.size());
  std::string& raw = *request.mutable_raw_target();
  if (!target.starts_with('/')) raw = "/";
  raw += target;
  add_decoded_target(raw, request);
  if (!head.upgrade.empty()) {
    head.headers.set("connection", "Upgrade");
    head.headers.set("upgrade", head.upgrade);
  }
  HeaderMap& map = *request.mutable_header();
  for (const auto& [name, value] : head.headers) {
    if (is_for_cluster(name)) map[http::canonical_name(name)].add_value(std::string(value));
  }
  const auto length = head.content_length;
  header.set_content_length(!has_body ? 0 : length ? static_cast<std::int64_t>(*length) : -1);
  if (!extra.empty()) {
    header.mutable_extra()->set_type_url(std::string(kExtraType));
    header.mutable_extra()->set_value(extra);
  }
  return message.SerializeAsString();
}

}  // namespace towline::kubernetes_api
