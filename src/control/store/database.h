#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/log.h"
#include "base/secret.h"
#include "base/status.h"

namespace soci {
class session;
}

namespace towline::control {

class Engine;

/// The control plane's database: SQLite in a file, or PostgreSQL, which several processes may share. Blocks;
/// call from worker threads only. Safe from any thread.
///
/// Work is a function of a session; the tables (user_table.h and its siblings) are made on that session. A
/// write is one transaction: it is rolled back when the function fails or throws, and what it has read is
/// still so when it commits, whoever else writes. For that PostgreSQL may run the function again, so it must
/// not mind. Errors of the database come back as ALREADY_EXISTS (a unique constraint), FAILED_PRECONDITION
/// (another constraint), UNAVAILABLE (it is not reachable, or too busy),
/// DEADLINE_EXCEEDED (Options::time is up) or INTERNAL.
class Database {
 public:
  struct Options {
    /// The file of SQLite.
    std::string path;
    /// postgresql://... or libpq's keywords: PostgreSQL instead of the file.
    std::optional<Secret> url;
    /// That read, beside the one of SQLite that writes; for PostgreSQL all there are.
    int connections = 3;
    /// How long a statement of SQLite waits for another process's lock.
    int busy_timeout_seconds = 10;
    /// Limit: time of one piece of work in the database; over it a statement fails with DEADLINE_EXCEEDED.
    std::chrono::milliseconds time{10'000};
    /// Told when PostgreSQL goes and comes back.
    Logger log;
  };

  /// Connects, or makes the file, and brings the schema up to date.
  static Result<std::unique_ptr<Database>> open(const Options& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// `Result<T>` for a function that returns T or Result<T>; `Status` for one that returns nothing or Status.
  template <typename F>
  auto read(F&& f) {
    return run(Kind::kRead, std::forward<F>(f));
  }
  template <typename F>
  auto write(F&& f) {
    return run(Kind::kWrite, std::forward<F>(f));
  }
  /// A write that changes nobody's rights, so that generation() stays: last use, last contact.
  template <typename F>
  auto write_quietly(F&& f) {
    return run(Kind::kQuietWrite, std::forward<F>(f));
  }

  /// Runs `f` while no other process that has this database open runs one under the same name. `f` may read
  /// and write, but must not call alone().
  Status alone(const std::string& name, const std::function<Status()>& f);

  /// Whether no other process had it open when this one began: what such a process noted of itself is over.
  bool was_free() const;

  /// Grows with each write, after it is visible to readers, and with bump(). Writes of other processes count
  /// within a second; while it is unknown whether there are any, each call gives a new number.
  std::uint64_t generation() const;
  /// Something outside the database changed that rights depend on.
  void bump() { generation_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  enum class Kind { kRead, kWrite, kQuietWrite };
  using Work = std::function<Status(soci::session&)>;

  Database();
  Status execute(Kind kind, const Work& work);

  template <typename T>
  struct Unwrap {
    using type = T;
  };
  template <typename T>
  struct Unwrap<Result<T>> {
    using type = T;
  };

  template <typename F>
  auto run(Kind kind, F&& f) {
    using Returned = std::invoke_result_t<F&, soci::session&>;
    if constexpr (std::is_void_v<Returned>) {
      return execute(kind, [&](soci::session& sql) { return f(sql), Status(); });
    } else if constexpr (std::is_same_v<Returned, Status>) {
      return execute(kind, f);
    } else {
      return run_for_value<Returned>(kind, f);
    }
  }
  template <typename Returned, typename F>
  auto run_for_value(Kind kind, F& f) -> Result<typename Unwrap<Returned>::type> {
    std::optional<Result<typename Unwrap<Returned>::type>> value;
    const Status status = execute(kind, [&](soci::session& sql) {
      value.emplace(f(sql));
      return value->has_value() ? Status() : value->error();
    });
    if (!status.ok()) return fail(status);
    return std::move(*value);
  }

  mutable std::atomic<std::uint64_t> generation_{1};
  std::unique_ptr<Engine> engine_;  // calls bump(), so it ends first
};

}  // namespace towline::control
