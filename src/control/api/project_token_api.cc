// Access tokens of a project: each has a user of its own, a bot, with a role in that project only.
#include <boost/json.hpp>

#include "base/encoding.h"
#include "control/api/respond.h"
#include "control/domain/accounts.h"
#include "control/store/database.h"
#include "control/store/member_table.h"
#include "control/store/user_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

struct BotToken {
  User bot;
  AccessToken token;
  Role role = Role::kNone;
};

json::object render_bot(const BotToken& each, Millis now) {
  json::object out = render(each.token, now);
  out["access_level"] = static_cast<int>(each.role);
  return out;
}

Result<std::vector<BotToken>> tokens_of(Context& context, const Project& project) {
  return context.core.db.read([&](soci::session& sql) {
    std::vector<BotToken> all;
    for (User& bot : UserTable(sql).bots(project.id)) {
      const auto tokens =
          AccessTokenTable(sql).list({.user_id = bot.id, .state = "active", .now = context.core.now()}, {});
      const Role role = MemberTable(sql).role_in_project(bot.id, project);
      for (const AccessToken& token : tokens.items) all.push_back({bot, token, role});
    }
    return all;
  });
}

Result<http::Response> list(Context& context) {
  auto found = find_project(context, Role::kMaintainer);
  if (!found) return fail(found.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto all = tokens_of(context, found->project);
  if (!all) return fail(all.error());
  json::array items;
  for (const BotToken& each : part_of(*all, page)) items.emplace_back(render_bot(each, context.core.now()));
  return list_response(context, page, static_cast<std::int64_t>(all->size()), std::move(items));
}

Result<BotToken> find(Context& context) {
  auto found = find_project(context, Role::kMaintainer);
  if (!found) return fail(found.error());
  auto all = tokens_of(context, found->project);
  if (!all) return fail(all.error());
  for (BotToken& each : *all) {
    if (each.token.id == context.number("token_id")) return std::move(each);
  }
  return fail(Code::kNotFound, "404 Project Access Token Not Found");
}

Result<http::Response> get(Context& context) {
  auto found = find(context);
  if (!found) return fail(found.error());
  return json_response(200, render_bot(*found, context.core.now()));
}

// The bot, a member of the project.
Result<User> make_bot(Context& context, const Project& project, const std::string& name, Role role) {
  const std::string username =
      "project_" + std::to_string(project.id) + "_bot_" + hex_encode(random_bytes(16));
  User bot{.username = username,
           .name = name,
           .email = username + "@noreply.invalid",
           .created_at = context.core.now(),
           .bot_project_id = project.id};
  return context.core.db.write([&](soci::session& sql) {
    bot.id = UserTable(sql).create(bot, "!");
    MemberTable(sql).add(bot.id, {.project_id = project.id}, role, bot.created_at);
    return bot;
  });
}

Result<http::Response> create(Context& context) {
  auto found = find_project(context, Role::kMaintainer);
  if (!found) return fail(found.error());
  Params& params = context.params;
  NewAccessToken wanted{.name = params.text("name"), .scopes = params.texts("scopes")};
  if (wanted.scopes.empty()) params.refuse("scopes is missing");
  const auto role = role_from_level(params.number_or("access_level", static_cast<int>(Role::kMaintainer)));
  if (!role) params.refuse("access_level does not have a valid value");
  const std::string expires = params.text_or("expires_at", "");
  const auto date = parse_date(expires);
  if (!expires.empty() && !date) params.refuse("expires_at is invalid: it must be a date, YYYY-MM-DD");
  if (Status status = params.check(); !status.ok()) return fail(status);
  if (*role > found->role) {
    return fail(Code::kPermissionDenied, "403 Forbidden: access_level is higher than your own role");
  }
  wanted.expires_at = date.value_or(0);
  if (Status status = Accounts(context.core).bound(*context.caller, wanted); !status.ok())
    return fail(status);
  if (Status status = Accounts(context.core).check(wanted); !status.ok()) return fail(status);
  auto bot = make_bot(context, found->project, wanted.name, *role);
  if (!bot) return fail(bot.error());
  wanted.user_id = bot->id;
  auto created = Accounts(context.core).create_token(wanted);
  if (!created) return fail(created.error());
  json::object out = render_bot({*bot, created->token, *role}, context.core.now());
  out["token"] = created->value.reveal();
  return json_response(201, out);
}

Result<http::Response> revoke(Context& context) {
  auto found = find(context);
  if (!found) return fail(found.error());
  // With its token a bot is of no use; what it did keeps its number and name in the audit log.
  const Status status =
      context.core.db.write([&](soci::session& sql) { UserTable(sql).remove(found->bot.id); });
  if (!status.ok()) return fail(status);
  return no_content();
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/access_tokens", list, Need::kUser, "Active access tokens of a project",
     "page:integer per_page:integer"},
    {"POST", "/projects/:id/access_tokens", create, Need::kUser, "Make an access token of a project",
     "name! scopes!:array access_level:integer expires_at"},
    {"GET", "/projects/:id/access_tokens/:token_id", get, Need::kUser, "An access token of a project"},
    {"DELETE", "/projects/:id/access_tokens/:token_id", revoke, Need::kUser,
     "Revoke an access token of a project"},
};

}  // namespace

std::span<const Route> project_token_routes() { return kRoutes; }

}  // namespace towline::control::api
