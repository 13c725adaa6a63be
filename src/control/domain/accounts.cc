#include "control/domain/accounts.h"

#include <algorithm>

#include "control/domain/credentials.h"
#include "control/domain/names.h"
#include "control/domain/usage.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"
#include "control/store/user_table.h"

namespace towline::control {
namespace {

constexpr std::size_t kMinPassword = 8;
constexpr std::size_t kMaxText = 255;
// Longer than any token of ours; hashing megabytes for a stranger is work for nothing.
constexpr std::size_t kMaxToken = 512;

Status check_user(const NewUser& user) {
  if (Status status = check_top_level_path(user.username); !status.ok()) {
    return {Code::kInvalidArgument, "username: " + status.message()};
  }
  if (user.name.empty() || user.name.size() > kMaxText) {
    return {Code::kInvalidArgument, "name must have 1 to 255 characters"};
  }
  const auto at = user.email.find('@');
  if (at == 0 || at == std::string::npos || at + 1 == user.email.size() || user.email.size() > kMaxText ||
      user.email.find_first_of(" \t\r\n<>") != std::string::npos) {
    return {Code::kInvalidArgument, "email is invalid"};
  }
  if (user.password.reveal().size() < kMinPassword) {
    return {Code::kInvalidArgument, "password is too short (minimum is 8 characters)"};
  }
  return {};
}

Result<std::string> join_scopes(const std::vector<std::string>& scopes) {
  if (scopes.empty()) return fail(Code::kInvalidArgument, "scopes is empty");
  std::string joined;
  for (const std::string& scope : scopes) {
    if (std::find(kScopes.begin(), kScopes.end(), scope) == kScopes.end()) {
      return fail(Code::kInvalidArgument, "scopes does not have a valid value: \"" + scope + "\"");
    }
    joined += joined.empty() ? scope : " " + scope;
  }
  return joined;
}

}  // namespace

Result<Caller> Accounts::authenticate(const Secret& token) {
  const auto refuse = [] { return fail(Code::kUnauthenticated, "the token is wrong, expired or revoked"); };
  if (token.empty() || token.reveal().size() > kMaxToken) return refuse();
  const std::string hash = token_hash(token);
  auto found = core_.db.read([&](soci::session& sql) -> std::optional<Caller> {
    auto record = AccessTokenTable(sql).by_hash(hash);
    if (!record) return std::nullopt;
    auto user = UserTable(sql).by_id(record->user_id);
    if (!user) return std::nullopt;
    return Caller{std::move(*user), std::move(*record)};
  });
  if (!found) return fail(found.error());
  if (!*found || !(*found)->user.active() || !(*found)->token.valid_at(core_.now())) return refuse();
  core_.usage.token_used((*found)->token.id);
  return std::move(**found);
}

Result<User> Accounts::create_user(const NewUser& wanted) {
  if (Status status = check_user(wanted); !status.ok()) return fail(status);
  auto hash = hash_password(wanted.password);
  if (!hash) return fail(hash.error());
  User user{.username = wanted.username,
            .name = wanted.name,
            .email = wanted.email,
            .admin = wanted.admin,
            .created_at = core_.now()};
  return core_.db.write([&](soci::session& sql) -> Result<User> {
    NamespaceTable namespaces(sql);
    if (UserTable(sql).by_username(user.username) || namespaces.by_path(user.username)) {
      return fail(Code::kAlreadyExists, "Username has already been taken");
    }
    user.id = UserTable(sql).create(user, *hash);
    namespaces.create({.kind = "user",
                       .name = user.name,
                       .path = user.username,
                       .full_path = user.username,
                       .full_name = user.name,
                       .owner_id = user.id,
                       .created_at = user.created_at});
    return user;
  });
}

Status Accounts::check(const NewAccessToken& wanted) const {
  if (wanted.name.empty() || wanted.name.size() > kMaxText) {
    return {Code::kInvalidArgument, "name must have 1 to 255 characters"};
  }
  if (auto scopes = join_scopes(wanted.scopes); !scopes) return scopes.error();
  if (wanted.expires_at != 0 && wanted.expires_at <= core_.now()) {
    return {Code::kInvalidArgument, "expires_at must be in the future"};
  }
  return {};
}

Status Accounts::bound(const Caller& maker, NewAccessToken& wanted) const {
  if (maker.user.bot_project_id != 0) {
    return {Code::kPermissionDenied, "403 Forbidden: the access token of a project makes no tokens"};
  }
  for (const std::string& scope : wanted.scopes) {
    if (maker.token.has_scope("api") || maker.token.has_scope(scope)) continue;  // "api" holds all others
    return {Code::kPermissionDenied,
            "403 Forbidden: the token that makes it does not have the scope " + scope};
  }
  constexpr Millis kDay = Millis{24} * 3600 * 1000;
  if (wanted.expires_at == 0 && core_.token_life != 0) {
    wanted.expires_at = (core_.now() + core_.token_life) / kDay * kDay;  // ends are dates
  }
  const bool by_session = maker.token.id == 0;
  const Millis end = by_session ? 0 : maker.token.expires_at;
  if (end != 0 && (wanted.expires_at == 0 || wanted.expires_at > end)) wanted.expires_at = end;
  return {};
}

Result<Accounts::Created> Accounts::create_token(const NewAccessToken& wanted, std::optional<Secret> value) {
  if (Status status = check(wanted); !status.ok()) return fail(status);
  auto scopes = join_scopes(wanted.scopes);
  Created created{.token = {.user_id = wanted.user_id,
                            .name = wanted.name,
                            .scopes = std::move(*scopes),
                            .created_at = core_.now(),
                            .expires_at = wanted.expires_at},
                  .value = value ? std::move(*value) : make_token(kAccessTokenPrefix)};
  auto id = core_.db.write([&](soci::session& sql) {
    return AccessTokenTable(sql).create(created.token, token_hash(created.value));
  });
  if (!id) return fail(id.error());
  created.token.id = *id;
  return created;
}

Status Accounts::revoke_token(std::int64_t token_id) {
  return core_.db.write([&](soci::session& sql) { AccessTokenTable(sql).revoke(token_id, core_.now()); });
}

}  // namespace towline::control
