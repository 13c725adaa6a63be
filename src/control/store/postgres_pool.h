#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <soci/soci.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/store/postgres_url.h"

struct pg_conn;

namespace towline::control {

/// A number in [0, 1) from the system's random source.
double random_fraction();

/// Connections to PostgreSQL that are made when they are needed and dropped when they fail. While the
/// database is not reachable, one thread after the other tries, with growing pauses. Safe from any thread.
class PostgresPool {
 public:
  /// The longest pause between two attempts, and how long work waits for the next one: so nothing fails that
  /// comes when the database is back, whoever met its absence before.
  static constexpr std::chrono::milliseconds kPatience{250};

  /// `time` is what one statement may take.
  PostgresPool(PostgresAddress address, int size, std::chrono::milliseconds time, Logger log);
  PostgresPool(const PostgresPool&) = delete;
  PostgresPool& operator=(const PostgresPool&) = delete;

  /// A connection for the time of one piece of work.
  class Lease {
   public:
    Lease(PostgresPool& pool, std::unique_ptr<soci::session> session)
        : pool_(&pool), session_(std::move(session)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    soci::session& session() { return *session_; }
    pg_conn* raw();
    /// The connection is lost: closes it and, because they are likely lost too, those that nobody uses.
    void lost();

   private:
    struct Nothing {
      void operator()(PostgresPool*) const {}
    };
    std::unique_ptr<PostgresPool, Nothing> pool_;  // empty after a move
    std::unique_ptr<soci::session> session_;
  };

  /// Waits while all are in use. UNAVAILABLE when there is no connection to be had within kPatience.
  Result<Lease> take();

  const PostgresAddress& address() const { return address_; }
  /// The same with libpq's words, which name hosts and users: for logs and the start only.
  Status last_fault();

 private:
  Result<Lease> connect();
  void give_back(std::unique_ptr<soci::session> session);
  void note_failure(const std::string& fault);
  void note_success();

  const PostgresAddress address_;
  const std::chrono::milliseconds time_;
  Logger log_;
  SystemClock clock_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<soci::session>> idle_;
  int unused_;            // places without a lease, with or without a connection
  bool failing_ = false;  // the last attempt to connect failed
  bool trying_ = false;   // somebody tries again
  Clock::TimePoint next_attempt_{};
  Backoff backoff_;
  std::string fault_;
};

/// "the database is not reachable", with nothing that only its operator should know.
Status not_reachable();

}  // namespace towline::control
