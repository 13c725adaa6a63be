#include "control/store/session_table.h"

#include "control/store/query.h"

namespace towline::control {

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, SessionRecord& s) {
  q.into(s.id).into(s.user_id).into(s.created_at).into(s.expires_at);
}

std::int64_t SessionTable::create(const SessionRecord& session, const std::string& hash) {
  return Query(sql_,
               "INSERT INTO sessions (user_id, token_hash, created_at, expires_at) "
               "VALUES (:user, :hash, :created, :expires) RETURNING id")
      .with("user", session.user_id)
      .with("hash", hash)
      .with("created", session.created_at)
      .with("expires", session.expires_at)
      .number();
}

std::optional<SessionRecord> SessionTable::by_hash(const std::string& hash) {
  return Query(sql_, "SELECT id, user_id, created_at, expires_at FROM sessions WHERE token_hash = :hash")
      .with("hash", hash)
      .row<SessionRecord>();
}

void SessionTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM sessions WHERE id = :id").with("id", id).run();
}

void SessionTable::remove_of_user(std::int64_t user_id) {
  Query(sql_, "DELETE FROM sessions WHERE user_id = :user").with("user", user_id).run();
}

void SessionTable::remove_expired(Millis now) {
  Query(sql_, "DELETE FROM sessions WHERE expires_at <= :now").with("now", now).run();
}

}  // namespace towline::control
