#include <boost/json.hpp>

#include "base/encoding.h"
#include "control/api/respond.h"
#include "control/domain/accounts.h"
#include "control/store/database.h"
#include "control/store/session_table.h"
#include "control/store/user_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

bool is_self_or_admin(const Context& context, std::int64_t user_id) {
  return context.user().admin || context.user().id == user_id;
}

Result<User> find_user(Context& context) {
  const std::int64_t id = context.number("id");
  auto user = context.core.db.read([&](soci::session& sql) { return UserTable(sql).by_id(id); });
  if (!user) return fail(user.error());
  if (!*user) return fail(Code::kNotFound, "404 User Not Found");
  return std::move(**user);
}

Result<http::Response> get_self(Context& context) {
  return json_response(200, render(context.core, context.user(), true));
}

Result<http::Response> get_user(Context& context) {
  auto user = find_user(context);
  if (!user) return fail(user.error());
  return json_response(200, render(context.core, *user, is_self_or_admin(context, user->id)));
}

Result<http::Response> list_users(Context& context) {
  const std::string username = context.params.text_or("username", "");
  const std::string search = context.params.text_or("search", "");
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto users =
      context.core.db.read([&](soci::session& sql) { return UserTable(sql).list(username, search, page); });
  if (!users) return fail(users.error());
  json::array items;
  for (const User& user : users->items) {
    items.emplace_back(render(context.core, user, is_self_or_admin(context, user.id)));
  }
  return list_response(context, page, users->total, std::move(items));
}

Result<http::Response> create_user(Context& context) {
  Params& params = context.params;
  NewUser wanted{.username = params.text("username"),
                 .name = params.text("name"),
                 .email = params.text("email"),
                 .admin = params.flag("admin")};
  const bool random = params.flag("force_random_password") || params.flag("reset_password");
  wanted.password = Secret(random ? base64url_encode(random_bytes(32)) : params.text("password"));
  if (Status status = params.check(); !status.ok()) return fail(status);
  auto user = Accounts(context.core).create_user(wanted);
  if (!user) return fail(user.error());
  return json_response(201, render(context.core, *user, true));
}

Result<http::Response> set_state(Context& context, const char* state) {
  auto user = find_user(context);
  if (!user) return fail(user.error());
  if (user->id == context.user().id) return fail(Code::kPermissionDenied, "403 You cannot block yourself");
  const Status status = context.core.db.write([&](soci::session& sql) {
    UserTable(sql).set_state(user->id, state);
    SessionTable(sql).remove_of_user(user->id);  // who is let in again logs in again
  });
  if (!status.ok()) return fail(status);
  return json_response(201, true);
}
Result<http::Response> block_user(Context& context) { return set_state(context, "blocked"); }
Result<http::Response> unblock_user(Context& context) { return set_state(context, "active"); }

Result<http::Response> create_token_for(Context& context, std::int64_t user_id) {
  Params& params = context.params;
  NewAccessToken wanted{.user_id = user_id, .name = params.text("name"), .scopes = params.texts("scopes")};
  if (wanted.scopes.empty()) params.refuse("scopes is missing");
  const std::string expires = params.text_or("expires_at", "");
  const auto date = parse_date(expires);
  if (!expires.empty() && !date) params.refuse("expires_at is invalid: it must be a date, YYYY-MM-DD");
  if (Status status = params.check(); !status.ok()) return fail(status);
  wanted.expires_at = date.value_or(0);
  if (Status status = Accounts(context.core).bound(*context.caller, wanted); !status.ok())
    return fail(status);
  auto created = Accounts(context.core).create_token(wanted);
  if (!created) return fail(created.error());
  json::object out = render(created->token, context.core.now());
  out["token"] = created->value.reveal();
  return json_response(201, out);
}
Result<http::Response> create_own_token(Context& context) {
  return create_token_for(context, context.user().id);
}
Result<http::Response> create_user_token(Context& context) {
  auto user = find_user(context);
  if (!user) return fail(user.error());
  return create_token_for(context, user->id);
}

Result<http::Response> list_tokens_of(Context& context, std::int64_t user_id) {
  AccessTokenTable::Filter filter{.user_id = user_id, .state = context.params.text_or("state", "")};
  filter.now = context.core.now();
  const Page page = context.params.page();
  if (!filter.state.empty() && filter.state != "active" && filter.state != "inactive") {
    context.params.refuse("state does not have a valid value");
  }
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto tokens =
      context.core.db.read([&](soci::session& sql) { return AccessTokenTable(sql).list(filter, page); });
  if (!tokens) return fail(tokens.error());
  json::array items;
  for (const AccessToken& token : tokens->items) items.emplace_back(render(token, filter.now));
  return list_response(context, page, tokens->total, std::move(items));
}

// An administrator sees everybody's, or those of ?user_id=; others only their own.
Result<http::Response> list_tokens(Context& context) {
  const std::int64_t wanted = context.params.number_or("user_id", 0);
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  if (context.user().admin) return list_tokens_of(context, wanted);
  if (wanted != 0 && wanted != context.user().id) return fail(Code::kPermissionDenied, "403 Forbidden");
  return list_tokens_of(context, context.user().id);
}
Result<http::Response> list_user_tokens(Context& context) {
  auto user = find_user(context);
  if (!user) return fail(user.error());
  if (!is_self_or_admin(context, user->id)) return fail(Code::kPermissionDenied, "403 Forbidden");
  return list_tokens_of(context, user->id);
}

Result<http::Response> get_own_token(Context& context) {
  return json_response(200, render(context.caller->token, context.core.now()));
}

Result<AccessToken> find_token(Context& context) {
  const std::int64_t id = context.number("id");
  auto token = context.core.db.read([&](soci::session& sql) { return AccessTokenTable(sql).by_id(id); });
  if (!token) return fail(token.error());
  if (!*token || !is_self_or_admin(context, (*token)->user_id))
    return fail(Code::kNotFound, "404 Token Not Found");
  return std::move(**token);
}

Result<http::Response> get_token(Context& context) {
  auto token = find_token(context);
  if (!token) return fail(token.error());
  return json_response(200, render(*token, context.core.now()));
}

Result<http::Response> revoke(Context& context, std::int64_t id) {
  if (Status status = Accounts(context.core).revoke_token(id); !status.ok()) return fail(status);
  return no_content();
}
Result<http::Response> revoke_token(Context& context) {
  auto token = find_token(context);
  if (!token) return fail(token.error());
  return revoke(context, token->id);
}
Result<http::Response> revoke_own_token(Context& context) {
  return revoke(context, context.caller->token.id);
}

constexpr Route kRoutes[] = {
    {"GET", "/user", get_self, Need::kUser, "The caller"},
    {"GET", "/users", list_users, Need::kUser, "Users", "username search page:integer per_page:integer"},
    {"POST", "/users", create_user, Need::kAdmin, "Make a user",
     "username! name! email! password admin:boolean force_random_password:boolean reset_password:boolean"},
    {"GET", "/users/:id", get_user, Need::kUser, "A user"},
    {"POST", "/users/:id/block", block_user, Need::kAdmin, "Keep a user out"},
    {"POST", "/users/:id/unblock", unblock_user, Need::kAdmin, "Let a blocked user in again"},
    {"GET", "/users/:id/personal_access_tokens", list_user_tokens, Need::kUser,
     "Personal access tokens of a user", "state page:integer per_page:integer"},
    {"POST", "/users/:id/personal_access_tokens", create_user_token, Need::kAdmin,
     "Make a personal access token for a user", "name! scopes!:array expires_at"},
    {"POST", "/user/personal_access_tokens", create_own_token, Need::kUser,
     "Make a personal access token of one's own", "name! scopes!:array expires_at"},
    {"GET", "/personal_access_tokens", list_tokens, Need::kUser, "Personal access tokens",
     "user_id:integer state page:integer per_page:integer"},
    {"GET", "/personal_access_tokens/self", get_own_token, Need::kAnyToken,
     "The token that this request shows"},
    {"DELETE", "/personal_access_tokens/self", revoke_own_token, Need::kAnyToken,
     "Revoke the token that this request shows"},
    {"GET", "/personal_access_tokens/:id", get_token, Need::kUser, "A personal access token"},
    {"DELETE", "/personal_access_tokens/:id", revoke_token, Need::kUser, "Revoke a personal access token"},
};

}  // namespace

std::span<const Route> account_routes() { return kRoutes; }

}  // namespace towline::control::api
