#include "control/api/api.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "control/api/openapi.h"
#include "control/api/respond.h"
#include "control/api/router.h"
#include "control/api/session_cookie.h"
#include "control/domain/accounts.h"
#include "control/domain/names.h"
#include "control/domain/sessions.h"
#include "control/domain/usage.h"

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

std::optional<Secret> session_cookie(const http::RequestHead& head, std::string_view cookie) {
  std::string_view rest = head.headers.get("cookie").value_or("");
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    if (name == cookie) return Secret(std::string(pair.substr(equals + 1)));
  }
  return std::nullopt;
}

// Another site's page must not log its visitor in to an account of its own choosing (login CSRF).
bool from_elsewhere(const http::RequestHead& head) {
  const auto origin = head.headers.get("origin");
  if (!origin) return false;
  const auto host = origin->find("://");
  return host == std::string_view::npos ||
         !http::equals_ignoring_case(origin->substr(host + 3), head.authority);
}

bool csrf_fits(const http::RequestHead& head, const Secret& session) {
  const auto shown = head.headers.get("x-csrf-token");
  return shown && constant_time_equal(*shown, Sessions::csrf_token(session));
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

http::Response Api::too_many() {
  http::Response response = json_response(429, json::object{{"message", "429 Too Many Requests"}});
  response.headers.add("retry-after", std::to_string(throttle_.retry_after()));
  return response;
}

http::Response Api::refuse_credentials(const http::Request& request) {
  if (throttle_.failed(request.peer)) return error_response({Code::kUnauthenticated, "401 Unauthorized"});
  return too_many();
}

Result<Api::Known> Api::identify(const http::Request& request) {
  Known known;
  if (const auto token = credentials(request.head)) {
    auto caller = Accounts(core_).authenticate(*token);
    if (!caller) return fail(caller.error());
    known.caller = std::move(*caller);
  } else if (auto session = session_cookie(request.head, session_cookie_name(core_.external_url))) {
    // An old cookie is no attempt to break in: its owner sees the log-in page.
    auto caller = Sessions(core_).authenticate(*session);
    if (!caller && caller.error().code() != Code::kUnauthenticated) return fail(caller.error());
    if (caller) {
      known.caller = std::move(*caller);
      known.session = std::move(*session);
    }
  }
  return known;
}

std::optional<http::Response> Api::forbid(const http::Request& request, const Route& route,
                                          const Known& known) {
  const bool open = route.need == Need::kNobody || route.need == Need::kLogin;
  if (route.need == Need::kLogin && from_elsewhere(request.head)) {
    return error_response({Code::kPermissionDenied, "403 Forbidden: the request comes from another site"});
  }
  if (!known.caller && !open) return error_response({Code::kUnauthenticated, "401 Unauthorized"});
  if (!known.caller) return std::nullopt;
  if (route.need != Need::kAnyToken && !scope_allows(known.caller->token, request.head.method)) {
    return insufficient_scope();
  }
  if (known.session && !reads_only(request.head.method) && route.need != Need::kLogin &&
      !csrf_fits(request.head, *known.session)) {
    return error_response(
        {Code::kPermissionDenied, "403 Forbidden: the header X-CSRF-Token is missing or wrong"});
  }
  if (route.need == Need::kAdmin && !known.caller->user.admin) {
    return error_response({Code::kPermissionDenied, "403 Forbidden"});
  }
  return std::nullopt;
}

// Whatever changed something, by whom and from where: in the log, and in the database.
void Api::audit(const Context& context, const Route& route) {
  const http::Request& request = context.request;
  const User user = context.caller ? context.caller->user : User{};
  const std::string address(request.peer.substr(0, request.peer.rfind(':')));
  const std::string action = std::string(route.method) + " " + std::string(route.pattern);
  core_.log.info("audit", {{"user_id", user.id},
                           {"user", user.username},
                           {"address", address},
                           {"action", action},
                           {"target", request.head.path()}});
  core_.usage.audit({.at = core_.now(),
                     .user_id = user.id,
                     .username = user.username,
                     .address = address,
                     .action = action,
                     .target = std::string(request.head.path())});
}

http::Response Api::run(Context& context, const Route& route) {
  const std::string login =
      route.need == Need::kLogin ? "login " + context.params.text_or("login", "") + ":" : "";
  const bool guards = route.need == Need::kLogin && !reads_only(context.request.head.method);
  if (guards && (throttle_.exhausted(context.request.peer) || throttle_.exhausted(login))) return too_many();
  auto response = route.handler(context);
  if (!response) {
    if (guards && response.error().code() == Code::kUnauthenticated) {
      throttle_.failed(context.request.peer);
      throttle_.failed(login);
    }
    return failure(core_, context.request, response.error());
  }
  if (response->status < 300 && !reads_only(context.request.head.method)) audit(context, route);
  return std::move(*response);
}

http::Response Api::answer(const http::Request& request) {
  std::string_view path = request.head.path();
  if (!path.starts_with(kBase)) return error_response({Code::kNotFound, "404 Not Found"});
  path.remove_prefix(kBase.size());

  auto known = identify(request);
  if (!known && known.error().code() == Code::kUnauthenticated) return finish(refuse_credentials(request));
  if (!known) return finish(failure(core_, request, known.error()));
  auto found = match(all_routes(), request.head.method, path);
  if (!found && !known->caller) return finish(error_response({Code::kUnauthenticated, "401 Unauthorized"}));
  if (!found) return finish(error_response(found.error()));
  const Route& route = *found->route;
  if (auto refusal = forbid(request, route, *known)) return finish(std::move(*refusal));
  auto params = Params::parse(request);
  if (!params) return finish(error_response(params.error()));
  Context context{core_,
                  request,
                  std::string(path),
                  std::move(found->named),
                  std::move(*params),
                  std::move(known->caller),
                  std::move(known->session)};
  return finish(run(context, route));
}

}  // namespace towline::control::api
