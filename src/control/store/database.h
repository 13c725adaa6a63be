#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/status.h"

namespace soci {
class session;
}

namespace towline::control {

/// The control plane's database: one connection that writes, guarded by a mutex, and a few that read. Blocks;
/// call from worker threads only. Safe from any thread.
///
/// Work is a function of a session; the tables (user_table.h and its siblings) are made on that session. A
/// write is one transaction: it is rolled back when the function fails or throws. Errors of the database come
/// back as ALREADY_EXISTS (a unique constraint), FAILED_PRECONDITION (another constraint) or INTERNAL.
class Database {
 public:
  struct Options {
    std::string path;
    int readers = 3;
    /// How long a statement waits for another process's lock.
    int busy_timeout_seconds = 10;
  };

  /// Opens or makes the file and brings its schema up to date.
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

  /// Grows with each write, after it is visible to readers, and with bump().
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  /// Something outside the database changed that rights depend on.
  void bump() { generation_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  enum class Kind { kRead, kWrite, kQuietWrite };
  using Work = std::function<Status(soci::session&)>;
  struct Impl;

  explicit Database(std::unique_ptr<Impl> impl);
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

  std::unique_ptr<Impl> impl_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace towline::control
