#include "control/store/user_table.h"

#include "control/store/query.h"
#include "control/store/where.h"

namespace towline::control {

namespace {
struct Text {
  std::string value;
};
}  // namespace

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, User& u) {
  q.into(u.id).into(u.username).into(u.name).into(u.email).into(u.state).into(u.admin).into(u.created_at);
  q.into(u.bot_project_id);
}

static void columns(Query& q, AccessToken& t) {
  q.into(t.id).into(t.user_id).into(t.name).into(t.scopes).into(t.created_at).into(t.expires_at);
  q.into(t.last_used_at).into(t.revoked_at);
}

static void columns(Query& q, Text& t) { q.into(t.value); }

bool AccessToken::has_scope(std::string_view scope) const {
  std::string_view rest = scopes;
  while (!rest.empty()) {
    const auto end = rest.find(' ');
    if (rest.substr(0, end) == scope) return true;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return false;
}

namespace {

const std::string kUserColumns =
    "SELECT id, username, name, email, state, admin, created_at, bot_project_id FROM users ";
const std::string kTokenColumns =
    "SELECT id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM "
    "personal_access_tokens ";

}  // namespace

std::string like_pattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern + "%";
}

std::int64_t UserTable::create(const User& user, const std::string& password_hash) {
  return Query(sql_,
               "INSERT INTO users (username, name, email, state, admin, password_hash, created_at, "
               "bot_project_id) "
               "VALUES (:username, :name, :email, :state, :admin, :password, :created, :bot) RETURNING id")
      .with("username", user.username)
      .with("name", user.name)
      .with("email", user.email)
      .with("state", user.state)
      .with("admin", user.admin)
      .with("password", password_hash)
      .with("created", user.created_at)
      .with("bot", user.bot_project_id)
      .number();
}

std::optional<User> UserTable::by_id(std::int64_t id) {
  return Query(sql_, kUserColumns + "WHERE id = :id").with("id", id).row<User>();
}

std::optional<User> UserTable::by_username(const std::string& username) {
  return Query(sql_, kUserColumns + "WHERE lower(username) = lower(:username)")
      .with("username", username)
      .row<User>();
}

std::optional<User> UserTable::by_login(const std::string& login) {
  return Query(sql_, kUserColumns + "WHERE lower(username) = lower(:login) OR lower(email) = lower(:login)")
      .with("login", login)
      .row<User>();
}

Listed<User> UserTable::list(const std::string& username, const std::string& search, Page page) {
  Where where;
  where.add("bot_project_id = 0");
  if (!username.empty()) where.add("lower(username) = lower(:username)").text("username", username);
  if (!search.empty()) {
    where.add("lower(username || ' ' || name || ' ' || email) LIKE lower(:pattern) ESCAPE '\\'")
        .text("pattern", like_pattern(search));
  }
  Query count(sql_, "SELECT COUNT(*) FROM users " + where.text());
  Query rows(sql_, kUserColumns + where.text() + "ORDER BY id LIMIT :limit OFFSET :offset");
  return {where.bind(rows).with(page).rows<User>(), where.bind(count).number()};
}

std::vector<User> UserTable::bots(std::int64_t project_id) {
  return Query(sql_, kUserColumns + "WHERE bot_project_id = :project ORDER BY id")
      .with("project", project_id)
      .rows<User>();
}

void UserTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM users WHERE id = :id").with("id", id).run();
}

void UserTable::remove_bots(std::int64_t project_id) {
  Query(sql_, "DELETE FROM users WHERE bot_project_id = :project AND bot_project_id <> 0")
      .with("project", project_id)
      .run();
}

void UserTable::set_state(std::int64_t id, const std::string& state) {
  Query(sql_, "UPDATE users SET state = :state WHERE id = :id").with("state", state).with("id", id).run();
}

std::string UserTable::password_hash(std::int64_t id) {
  const auto hash = Query(sql_, "SELECT password_hash FROM users WHERE id = :id").with("id", id).row<Text>();
  return hash ? hash->value : std::string();
}

void UserTable::set_password_hash(std::int64_t id, const std::string& hash) {
  Query(sql_, "UPDATE users SET password_hash = :hash WHERE id = :id")
      .with("hash", hash)
      .with("id", id)
      .run();
}

std::int64_t AccessTokenTable::create(const AccessToken& token, const std::string& hash) {
  return Query(
             sql_,
             "INSERT INTO personal_access_tokens (user_id, name, scopes, token_hash, created_at, expires_at, "
             "last_used_at, revoked_at) VALUES (:user, :name, :scopes, :hash, :created, :expires, 0, 0) "
             "RETURNING id")
      .with("user", token.user_id)
      .with("name", token.name)
      .with("scopes", token.scopes)
      .with("hash", hash)
      .with("created", token.created_at)
      .with("expires", token.expires_at)
      .number();
}

std::optional<AccessToken> AccessTokenTable::by_id(std::int64_t id) {
  return Query(sql_, kTokenColumns + "WHERE id = :id").with("id", id).row<AccessToken>();
}

std::optional<AccessToken> AccessTokenTable::by_hash(const std::string& hash) {
  return Query(sql_, kTokenColumns + "WHERE token_hash = :hash").with("hash", hash).row<AccessToken>();
}

Listed<AccessToken> AccessTokenTable::list(const Filter& filter, Page page) {
  const std::string valid = "(revoked_at = 0 AND (expires_at = 0 OR expires_at > :now))";
  Where where;
  if (filter.user_id != 0) where.add("user_id = :user").number("user", filter.user_id);
  if (!filter.state.empty()) {
    where.add(filter.state == "active" ? valid : "NOT " + valid).number("now", filter.now);
  }
  Query count(sql_, "SELECT COUNT(*) FROM personal_access_tokens " + where.text());
  Query rows(sql_, kTokenColumns + where.text() + "ORDER BY id DESC LIMIT :limit OFFSET :offset");
  return {where.bind(rows).with(page).rows<AccessToken>(), where.bind(count).number()};
}

void AccessTokenTable::revoke(std::int64_t id, Millis now) {
  Query(sql_, "UPDATE personal_access_tokens SET revoked_at = :now WHERE id = :id AND revoked_at = 0")
      .with("now", now)
      .with("id", id)
      .run();
}

void AccessTokenTable::touch(std::int64_t id, Millis now) {
  Query(sql_, "UPDATE personal_access_tokens SET last_used_at = :now WHERE id = :id AND last_used_at < :now")
      .with("now", now)
      .with("id", id)
      .run();
}

std::optional<std::string> SettingTable::get(const std::string& name) {
  auto found = Query(sql_, "SELECT value FROM settings WHERE name = :name").with("name", name).row<Text>();
  if (!found) return std::nullopt;
  return std::move(found->value);
}

void SettingTable::set(const std::string& name, const std::string& value) {
  Query(sql_,
        "INSERT INTO settings (name, value) VALUES (:name, :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value")
      .with("name", name)
      .with("value", value)
      .run();
}

}  // namespace towline::control
