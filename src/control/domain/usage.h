#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "control/backend.h"
#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

class Database;

/// Notes what happens all the time (tokens used, agents that come, are there and go, changes for the audit
/// log) and writes it down from a thread of its own, so that no request waits for it: many notes in one
/// transaction, and at most once a minute for each token. While the database is not reachable notes wait, of
/// each kind the newest kMaxWaiting. What was noted in the last moments before a crash is lost; an orderly
/// end writes it. Safe from any thread.
class UsageRecorder {
 public:
  UsageRecorder(Database& db, const Clock& clock, Logger log);
  ~UsageRecorder();

  void token_used(std::int64_t access_token_id);
  void agent_token_used(std::int64_t agent_token_id);
  void agent_seen(AgentPresence presence);
  /// An agent without a connection for kAway is said to be gone; sooner it has only changed connections.
  void agent_gone(std::int64_t agent_id, std::int64_t connection_id);
  /// Somebody at `peer` ("192.0.2.1:443") changed something: a line in the log now, and a row soon. Of
  /// `event` the time and the address are filled in here.
  void audit(AuditEvent event, std::string_view peer);

  /// Rows of the audit log that are older go, by and by; 0: none.
  void keep_audit(Millis life) { audit_life_ = life; }

  /// Writes what has been noted so far and returns when it is in the database. False: the database is not
  /// reachable, and the notes wait. What the database refuses for another reason is dropped, and logged.
  bool flush();

  static constexpr Millis kAway = 10'000;
  /// Limit: age of rows of the audit log (--audit-days); older ones are removed.
  static constexpr Millis kAuditLife = Millis{365} * 24 * 3600 * 1000;
  /// Limit: notes of each kind that wait while the database is not reachable; over it the oldest are dropped.
  static constexpr std::size_t kMaxWaiting = 10'000;

 private:
  struct Connection {
    AgentPresence presence;
    Millis first = 0;
    Millis last = 0;
    bool gone = false;
  };
  struct Notes {
    std::map<std::int64_t, Millis> tokens;
    std::map<std::int64_t, Millis> agent_tokens;
    std::map<std::int64_t, Connection> connections;
    std::vector<AuditEvent> audit;
    bool empty() const {
      return tokens.empty() && agent_tokens.empty() && connections.empty() && audit.empty();
    }
    /// Takes in what was noted before these; returns how many were too many.
    std::size_t take_older(Notes older);
  };

  void run();
  void note(std::map<std::int64_t, Millis>& notes, std::map<std::int64_t, Millis>& written, std::int64_t id);
  void write(soci::session& sql, const Notes& notes);
  void write_connection(soci::session& sql, std::int64_t id, const Connection& connection);
  void write_departures(soci::session& sql, Millis now);
  void clear_audit(soci::session& sql, Millis now);
  Millis now() const;

  Database& db_;
  const Clock& clock_;
  Logger log_;
  std::mutex mutex_;
  std::mutex writing_;  // taken before mutex_
  std::condition_variable changed_;
  Notes notes_;
  std::atomic<Millis> audit_life_ = kAuditLife;
  Millis audit_cleared_ = 0;  // guarded by writing_
  std::map<std::int64_t, Millis> tokens_written_, agent_tokens_written_;
  std::map<std::int64_t, Millis>
      departed_;          // agents by when their last connection ended; guarded by writing_
  bool waiting_ = false;  // for the database; guarded by writing_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace towline::control
