#include <boost/json.hpp>

#include "control/api/respond.h"
#include "control/api/session_cookie.h"
#include "control/domain/sessions.h"
#include "control/domain/usage.h"
#include "control/store/agent_event_table.h"
#include "control/store/database.h"
#include "control/store/member_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

http::Response with_cookie(Context& context, http::Response response, const std::string& value,
                           Millis seconds) {
  const bool secure = !context.core.external_url.starts_with("http://");
  response.headers.add("set-cookie", std::string(session_cookie_name(context.core.external_url)) + "=" +
                                         value + "; Path=/; Max-Age=" + std::to_string(seconds) +
                                         "; HttpOnly; SameSite=Lax" + (secure ? "; Secure" : ""));
  return response;
}

json::object describe(Context& context, const User& user, const Secret& session) {
  return {{"user", render(context.core, user, true)}, {"csrf_token", Sessions::csrf_token(session)}};
}

Result<http::Response> log_in(Context& context) {
  const std::string login = context.params.text("login");
  const Secret password(context.params.text("password"));
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto opened = Sessions(context.core).open(login, password);
  if (!opened) return fail(opened.error());
  context.caller = Caller{.user = opened->user, .token = {}};
  return with_cookie(context, json_response(201, describe(context, opened->user, opened->value)),
                     opened->value.reveal(), Sessions::kLife / 1000);
}

Result<http::Response> show(Context& context) {
  if (!context.session) return fail(Code::kUnauthenticated, "401 Unauthorized");
  return json_response(200, describe(context, context.user(), *context.session));
}

Result<http::Response> log_out(Context& context) {
  if (context.session) {
    if (Status status = Sessions(context.core).close(*context.session); !status.ok()) return fail(status);
  }
  return with_cookie(context, no_content(), "", 0);
}

// By a session only: a token must not become its owner for good.
Result<http::Response> change_password(Context& context) {
  const Secret current(context.params.text("current_password"));
  const Secret wanted(context.params.text("password"));
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  const Status status = Sessions(context.core).change_password(context.user(), current, wanted);
  if (!status.ok()) return fail(status);
  return no_content();
}

// The caller's own namespace and the groups in which projects may be made.
Result<http::Response> list_namespaces(Context& context) {
  const std::string search = context.params.text_or("search", "");
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto spaces = context.core.db.read([&](soci::session& sql) {
    std::vector<Namespace> mine;
    if (auto own = NamespaceTable(sql).of_user(context.user().id)) mine.push_back(std::move(*own));
    const NamespaceTable::Filter filter{.viewer = context.viewer(), .member_only = !context.user().admin};
    for (Namespace& group : NamespaceTable(sql).groups(filter, {.size = 10'000}).items) {
      const Role role = context.user().admin
                            ? Role::kOwner
                            : MemberTable(sql).role_in_namespace(context.user().id, group.id);
      if (role >= Role::kMaintainer) mine.push_back(std::move(group));
    }
    std::erase_if(mine,
                  [&](const Namespace& each) { return each.full_path.find(search) == std::string::npos; });
    return mine;
  });
  if (!spaces) return fail(spaces.error());
  json::array items;
  for (const Namespace& space : part_of(*spaces, page)) items.emplace_back(render(context.core, space));
  return list_response(context, page, static_cast<std::int64_t>(spaces->size()), std::move(items));
}

Result<http::Response> list_audit_events(Context& context) {
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  context.core.usage.flush();  // what has been answered is to be seen
  auto events = context.core.db.read([&](soci::session& sql) { return AuditTable(sql).list(page); });
  if (!events) return fail(events.error());
  json::array items;
  for (const AuditEvent& event : events->items) {
    items.emplace_back(json::object{{"id", event.id},
                                    {"created_at", json_time(event.at)},
                                    {"author_id", json_id(event.user_id)},
                                    {"author_name", event.username},
                                    {"ip_address", event.address},
                                    {"action", event.action},
                                    {"target", event.target}});
  }
  return list_response(context, page, events->total, std::move(items));
}

constexpr Route kRoutes[] = {
    {"POST", "/session", log_in, Need::kLogin, "Log in", "login! password!"},
    {"GET", "/session", show, Need::kNobody, "The session of the cookie, with its CSRF token"},
    {"DELETE", "/session", log_out, Need::kUser, "Log out"},
    {"PUT", "/user/password", change_password, Need::kPassword, "Change one's password; ends all sessions",
     "current_password! password!"},
    {"GET", "/namespaces", list_namespaces, Need::kUser, "Namespaces in which the caller may make projects",
     "search page:integer per_page:integer"},
    {"GET", "/audit_events", list_audit_events, Need::kAdmin, "Who changed what, the newest first",
     "page:integer per_page:integer"},
};

}  // namespace

std::span<const Route> session_routes() { return kRoutes; }

}  // namespace towline::control::api
