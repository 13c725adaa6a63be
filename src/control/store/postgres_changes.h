#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/secret.h"

struct pg_conn;

namespace towline::control {

/// Hears that other processes have written, over a connection of its own that LISTENs. A notification
/// belongs to its transaction: PostgreSQL sends it when, and only if, the write has become visible; and no
/// row is touched by all writers, which would make them wait for each other. That the connection still lives
/// is checked several times a second.
class PostgresChanges {
 public:
  /// `heard` is called in a thread of its own.
  PostgresChanges(Secret connection, std::function<void()> heard);
  ~PostgresChanges();
  PostgresChanges(const PostgresChanges&) = delete;
  PostgresChanges& operator=(const PostgresChanges&) = delete;

  /// Connects, so that hears() is true at once, and goes on by itself from then on.
  void start();
  /// Whether everything older than a second has been heard.
  bool hears() const;

  /// Arguments of an advisory lock that every process shares while it has the database open.
  static constexpr const char* kInUse = "hashtext(current_schema()), hashtext('in use')";
  /// The statement that tells the others, for the writer's transaction, with the parameter :who.
  static const char* tell_statement();
  /// What stands for this process there.
  const std::string& who() const { return who_; }

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  enum class Wait { kReady, kTimeout, kStopping };

  void run();
  bool connect();
  bool listen();
  /// Asks the server something trivial; what was notified before the answer has been heard then.
  bool check();
  bool take_notifications();
  Wait wait(bool for_connection, std::chrono::milliseconds longest);
  bool finish_query();

  const Secret connection_string_;
  const std::function<void()> heard_;
  const std::string who_;
  const int stop_event_;
  SystemClock clock_;
  std::atomic<std::int64_t> heard_until_{INT64_MIN};  // of clock_, in nanoseconds
  std::unique_ptr<pg_conn, Close> connection_;
  std::thread thread_;
};

}  // namespace towline::control
