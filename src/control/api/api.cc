#include "control/api/api.h"

#include <array>

#include <boost/json.hpp>

#include "control/api/openapi.h"
#include "control/api/respond.h"
#include "control/api/router.h"
#include "io/dial.h"
#include "io/loop.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kBase = "/api/v4";

// Another site's page must not log its visitor in to an account of its own choosing (login CSRF).
bool from_elsewhere(const http::RequestHead& head) {
  const auto origin = head.headers.get("origin");
  if (!origin) return false;
  const auto host = origin->find("://");
  return host == std::string_view::npos ||
         !http::equals_ignoring_case(origin->substr(host + 3), head.authority);
}

http::Response insufficient_scope() {
  return json_response(
      403, json::object{{"error", "insufficient_scope"},
                        {"error_description",
                         "The request requires higher privileges than provided by the access token."},
                        {"scope", "api read_api"}});
}

bool reads_only(std::string_view method) { return method == "GET" || method == "HEAD"; }

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

http::Response Api::too_many(int seconds) {
  http::Response response = json_response(429, json::object{{"message", "429 Too Many Requests"}});
  response.headers.add("retry-after", std::to_string(seconds));
  return response;
}

http::Response Api::refuse_caller(const http::Request& request, const Status& reason) {
  if (reason.code() != Code::kUnauthenticated) return guard_.harden(failure(core_, request, reason));
  if (!guard_.throttle().failed(request.peer))
    return guard_.harden(too_many(guard_.throttle().retry_after()));
  return guard_.harden(error_response({Code::kUnauthenticated, "401 Unauthorized"}));
}

bool Api::asks_password(const http::RequestHead& head) {
  std::string_view path = head.path();
  while (path.ends_with('/')) path.remove_suffix(1);
  return (head.method == "POST" && path == "/api/v4/session") ||
         (head.method == "PUT" && path == "/api/v4/user/password");
}

std::optional<http::Response> Api::forbid(const http::Request& request, const Route& route,
                                          const Guard::Known& known) {
  const bool open = route.need == Need::kNobody || route.need == Need::kLogin;
  if (route.need == Need::kLogin && from_elsewhere(request.head)) {
    return error_response({Code::kPermissionDenied, "403 Forbidden: the request comes from another site"});
  }
  if (!known.caller && !open) return error_response({Code::kUnauthenticated, "401 Unauthorized"});
  if (!known.caller) return std::nullopt;
  const bool changes = !reads_only(request.head.method);
  if (route.need != Need::kAnyToken && !Guard::scope_fits(known, changes)) {
    return insufficient_scope();
  }
  if (changes && route.need != Need::kLogin && !Guard::csrf_fits(request, known)) {
    return error_response(
        {Code::kPermissionDenied, "403 Forbidden: the header X-CSRF-Token is missing or wrong"});
  }
  if (route.need == Need::kPassword && !known.session) {
    return error_response({Code::kPermissionDenied, "403 Forbidden: this takes a session, not a token"});
  }
  if (route.need == Need::kAdmin && !known.caller->user.admin) {
    return error_response({Code::kPermissionDenied, "403 Forbidden"});
  }
  return std::nullopt;
}

http::Reply Api::run(Context& context, const Route& route) {
  return std::visit([&](auto handler) -> http::Reply { return run(context, route, handler); }, route.handler);
}

http::Response Api::run(Context& context, const Route& route, Handler handler) {
  const bool asks_password = route.need == Need::kLogin || route.need == Need::kPassword;
  if (!asks_password || reads_only(context.request.head.method)) {
    return conclude(context.request, route, context.caller, handler(context));
  }
  const std::string login = route.need == Need::kLogin ? "login " + context.params.text_or("login", "")
                                                       : "user " + std::to_string(context.user().id);
  LoginThrottle& logins = guard_.logins();
  if (!logins.may_try(login, context.request.peer)) return guard_.harden(too_many(logins.retry_after()));
  auto response = handler(context);
  if (response) logins.succeeded(login, context.request.peer);
  if (!response && response.error().code() == Code::kUnauthenticated) {
    logins.failed(login, context.request.peer);
  }
  return conclude(context.request, route, context.caller, std::move(response));
}

http::Reply Api::run(Context& context, const Route& route, SlowHandler handler) {
  auto work = handler(context);
  if (!work) return conclude(context.request, route, context.caller, fail(std::move(work.error())));
  return
      [this, &request = context.request, &route, caller = std::move(context.caller), work = std::move(*work)](
          io::Loop& loop, std::move_only_function<void(http::Response)> done) mutable {
        return work(loop, [this, &request, &route, caller = std::move(caller),
                           done = std::move(done)](Result<http::Response> response) mutable {
          done(conclude(request, route, caller, std::move(response)));
        });
      };
}

http::Response Api::conclude(const http::Request& request, const Route& route,
                             const std::optional<Caller>& caller, Result<http::Response> response) {
  if (!response) return guard_.harden(failure(core_, request, response.error()));
  if (response->status < 300 && !reads_only(request.head.method)) {
    guard_.audit(request, caller ? caller->user : User{},
                 std::string(route.method) + " " + std::string(route.pattern),
                 std::string(request.head.path()));
  }
  return guard_.harden(std::move(*response));
}

http::Reply Api::answer(const http::Request& request, const http::Visitor* visitor) {
  std::string_view path = request.head.path();
  if (!path.starts_with(kBase)) return guard_.harden(error_response({Code::kNotFound, "404 Not Found"}));
  path.remove_prefix(kBase.size());

  auto known = guard_.identify(request, visitor);
  if (!known) return refuse_caller(request, known.error());
  auto found = match(all_routes(), request.head.method, path);
  if (!found && !known->caller)
    return guard_.harden(error_response({Code::kUnauthenticated, "401 Unauthorized"}));
  if (!found) return guard_.harden(error_response(found.error()));
  const Route& route = *found->route;
  if (auto refusal = forbid(request, route, *known)) return guard_.harden(std::move(*refusal));
  auto params = Params::parse(request);
  if (!params) return guard_.harden(error_response(params.error()));
  Context context{core_,
                  request,
                  std::string(path),
                  std::move(found->named),
                  std::move(*params),
                  std::move(known->caller),
                  std::move(known->session)};
  return run(context, route);
}

}  // namespace towline::control::api
