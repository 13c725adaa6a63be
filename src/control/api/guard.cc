#include "control/api/guard.h"

#include <algorithm>

#include "control/api/session_cookie.h"
#include "control/domain/sessions.h"
#include "control/domain/usage.h"
#include "control/store/database.h"
#include "http/strict_transport.h"

namespace towline::control::api {
namespace {

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

bool shows_csrf_token(const http::RequestHead& head, const Secret& session) {
  const auto shown = head.headers.get("x-csrf-token");
  return shown && constant_time_equal(*shown, Sessions::csrf_token(session));
}

// What the guard has found out about a request at its head.
struct Guest final : http::Visitor {
  Guard::Known known;
  std::uint64_t generation = 0;
};

}  // namespace

Result<Guard::Known> Guard::identify(const http::Request& request, const http::Visitor* visitor) const {
  const auto* guest = dynamic_cast<const Guest*>(visitor);
  if (guest != nullptr && guest->generation == core_.db.generation()) return guest->known;
  return look_up(request);
}

bool Guard::bears_credentials(const http::RequestHead& head) const {
  return credentials(head) || session_cookie(head, session_cookie_name(core_.external_url));
}

Result<std::shared_ptr<const http::Visitor>> Guard::receive(const http::Request& request) const {
  auto guest = std::make_shared<Guest>();
  guest->generation = core_.db.generation();
  auto known = look_up(request);
  if (!known) return fail(known.error());
  guest->known = std::move(*known);
  guest->who = guest->known.caller ? io::Caller::user(guest->known.caller->user.id)
                                   : io::Caller::address(request.peer);
  return guest;
}

Result<Guard::Known> Guard::look_up(const http::Request& request) const {
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

bool Guard::scope_fits(const Known& known, bool changes) {
  if (!known.caller) return true;
  const AccessToken& token = known.caller->token;
  return token.has_scope("api") || (!changes && token.has_scope("read_api"));
}

bool Guard::csrf_fits(const http::Request& request, const Known& known) {
  return !known.session || shows_csrf_token(request.head, *known.session);
}

http::Response Guard::harden(http::Response response) const {
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!response.headers.has(name)) response.headers.add(name, value);
  };
  add("cache-control", "no-store");
  add("x-content-type-options", "nosniff");
  add("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox");
  if (const auto strict = http::strict_transport(core_.external_url))
    add("strict-transport-security", *strict);
  return response;
}

void Guard::audit(const http::Request& request, const User& user, const std::string& action,
                  const std::string& target) {
  core_.usage.audit({.user_id = user.id, .username = user.username, .action = action, .target = target},
                    request.peer);
}

}  // namespace towline::control::api
