#include "control/api/api.h"

#include <array>

#include <boost/json.hpp>

#include "control/api/respond.h"
#include "control/api/router.h"
#include "control/domain/accounts.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kBase = "/api/v4";

std::optional<Secret> credentials(const http::RequestHead& head) {
  if (const auto token = head.headers.get("private-token")) return Secret(std::string(*token));
  const auto authorization = head.headers.get("authorization");
  if (!authorization) return std::nullopt;
  constexpr std::string_view kBearer = "bearer ";
  if (authorization->size() < kBearer.size() ||
      !http::equals_ignoring_case(authorization->substr(0, kBearer.size()), kBearer)) {
    return Secret();  // credentials, but none that are understood
  }
  return Secret(std::string(authorization->substr(kBearer.size())));
}

http::Response insufficient_scope() {
  return json_response(
      403, json::object{{"error", "insufficient_scope"},
                        {"error_description",
                         "The request requires higher privileges than provided by the access token."},
                        {"scope", "api read_api"}});
}

bool reads_only(std::string_view method) { return method == "GET" || method == "HEAD"; }

bool scope_allows(const AccessToken& token, std::string_view method) {
  return token.has_scope("api") || (reads_only(method) && token.has_scope("read_api"));
}

std::span<const std::span<const Route>> tables() {
  static const std::array<std::span<const Route>, 7> kTables = {
      metadata_routes(), account_routes(),    project_routes(), group_routes(),
      file_routes(),     repository_routes(), agent_routes()};
  return kTables;
}

http::Response finish(http::Response response) {
  response.headers.add("cache-control", "no-store");
  if (!response.headers.has("x-content-type-options"))
    response.headers.add("x-content-type-options", "nosniff");
  return response;
}

// Those who run the server find the reason in its log; others need not know how it is built.
http::Response failure(const Core& core, const http::Request& request, const Status& status) {
  http::Response response = error_response(status);
  if (response.status != 500) return response;
  core.log.error(
      "API request failed",
      {{"method", request.head.method}, {"path", request.head.path()}, {"error", status.to_string()}});
  return error_response({Code::kInternal, "500 Internal Server Error"});
}

}  // namespace

http::Response Api::refuse_credentials(const http::Request& request) {
  if (throttle_.failed(request.peer)) return error_response({Code::kUnauthenticated, "401 Unauthorized"});
  http::Response response = json_response(429, json::object{{"message", "429 Too Many Requests"}});
  response.headers.add("retry-after", std::to_string(throttle_.retry_after()));
  return response;
}

http::Response Api::answer(const http::Request& request) {
  std::string_view path = request.head.path();
  if (!path.starts_with(kBase)) return error_response({Code::kNotFound, "404 Not Found"});
  path.remove_prefix(kBase.size());

  std::optional<Caller> caller;
  if (const auto token = credentials(request.head)) {
    auto known = Accounts(core_).authenticate(*token);
    if (!known && known.error().code() == Code::kUnauthenticated) return finish(refuse_credentials(request));
    if (!known) return finish(failure(core_, request, known.error()));
    caller = std::move(*known);
  }
  auto found = match(tables(), request.head.method, path);
  if (!found && !caller) return finish(error_response({Code::kUnauthenticated, "401 Unauthorized"}));
  if (!found) return finish(error_response(found.error()));

  const Route& route = *found->route;
  if (!caller && route.need != Need::kNobody) {
    return finish(error_response({Code::kUnauthenticated, "401 Unauthorized"}));
  }
  if (caller && route.need != Need::kAnyToken && !scope_allows(caller->token, request.head.method)) {
    return finish(insufficient_scope());
  }
  if (route.need == Need::kAdmin && !caller->user.admin) {
    return finish(error_response({Code::kPermissionDenied, "403 Forbidden"}));
  }
  auto params = Params::parse(request);
  if (!params) return finish(error_response(params.error()));
  Context context{
      core_, request, std::string(path), std::move(found->named), std::move(*params), std::move(caller)};
  auto response = route.handler(context);
  return finish(response ? std::move(*response) : failure(core_, request, response.error()));
}

}  // namespace towline::control::api
