#include "control/domain/sessions.h"

#include "base/encoding.h"
#include "control/domain/credentials.h"
#include "control/store/database.h"
#include "control/store/session_table.h"
#include "control/store/user_table.h"

namespace towline::control {
namespace {

constexpr std::size_t kMaxSecret = 512;
constexpr std::size_t kMinPassword = 8;

std::unexpected<Status> refuse() { return fail(Code::kUnauthenticated, "Invalid login or password"); }

// Checked for a person who does not exist, so that the answer takes as long.
const std::string& nobodys_hash() {
  static const std::string hash = hash_password(Secret(random_bytes(16))).value_or("");
  return hash;
}

}  // namespace

std::string Sessions::csrf_token(const Secret& value) {
  return sha256_hex("csrf token of " + value.reveal());
}

Result<Sessions::Opened> Sessions::open(const std::string& login, const Secret& password) {
  if (login.empty() || login.size() > kMaxSecret || password.reveal().size() > kMaxSecret) return refuse();
  std::string hash;
  auto user = core_.db.read([&](soci::session& sql) {
    auto found = UserTable(sql).by_login(login);
    if (found) hash = UserTable(sql).password_hash(found->id);
    return found;
  });
  if (!user) return fail(user.error());
  const bool person = *user && (*user)->active() && (*user)->bot_project_id == 0;
  if (!verify_password(password, person ? hash : nobodys_hash()) || !person) return refuse();
  Opened opened{.user = std::move(**user), .value = make_token("")};
  const Millis now = core_.now();
  const Status made = core_.db.write_quietly([&](soci::session& sql) {
    SessionTable(sql).remove_expired(now);
    SessionTable(sql).create({.user_id = opened.user.id, .created_at = now, .expires_at = now + kLife},
                             token_hash(opened.value));
  });
  if (!made.ok()) return fail(made);
  return opened;
}

Result<Caller> Sessions::authenticate(const Secret& value) {
  if (value.empty() || value.reveal().size() > kMaxSecret) return refuse();
  auto found = core_.db.read([&](soci::session& sql) -> std::optional<Caller> {
    const auto session = SessionTable(sql).by_hash(token_hash(value));
    if (!session || session->expires_at <= core_.now()) return std::nullopt;
    auto user = UserTable(sql).by_id(session->user_id);
    if (!user || !user->active()) return std::nullopt;
    AccessToken token{.user_id = user->id, .scopes = "api", .expires_at = session->expires_at};
    return Caller{std::move(*user), std::move(token)};
  });
  if (!found) return fail(found.error());
  if (!*found) return refuse();
  return std::move(**found);
}

Status Sessions::close(const Secret& value) {
  return core_.db.write_quietly([&](soci::session& sql) {
    const auto session = SessionTable(sql).by_hash(token_hash(value));
    if (session) SessionTable(sql).remove(session->id);
  });
}

Status Sessions::change_password(const User& user, const Secret& current, const Secret& wanted) {
  if (wanted.reveal().size() < kMinPassword || wanted.reveal().size() > kMaxSecret) {
    return {Code::kInvalidArgument, "password must have 8 to 512 characters"};
  }
  auto hash = core_.db.read([&](soci::session& sql) { return UserTable(sql).password_hash(user.id); });
  if (!hash) return hash.error();
  if (!verify_password(current, *hash)) return {Code::kUnauthenticated, "current_password is wrong"};
  auto fresh = hash_password(wanted);
  if (!fresh) return fresh.error();
  return core_.db.write([&](soci::session& sql) {
    UserTable(sql).set_password_hash(user.id, *fresh);
    SessionTable(sql).remove_of_user(user.id);
  });
}

}  // namespace towline::control
