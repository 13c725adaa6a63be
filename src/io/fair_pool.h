#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/running_task.h"

namespace towline::io {

/// Whom a piece of work is for: what he may hold of a pool is counted under this. A value.
class Caller {
 public:
  /// The program itself. Only the pool's own limits hold.
  Caller() = default;
  static Caller user(std::int64_t id) { return {Kind::kUser, static_cast<std::uint64_t>(id)}; }
  static Caller agent(std::int64_t id) { return {Kind::kAgent, static_cast<std::uint64_t>(id)}; }
  /// A stranger, known by the address of a peer ("192.0.2.1:443", "[2001:db8::1]:443") alone: all of an IPv6
  /// network of 64 bits are one, and so are those whose address is none ("local").
  static Caller address(std::string_view peer);

  bool is_server() const { return kind_ == Kind::kServer; }
  bool is_stranger() const { return kind_ == Kind::kAddress; }
  /// "user 7", for logs; of a stranger no more than that.
  std::string name() const;

  friend auto operator<=>(const Caller&, const Caller&) = default;

 private:
  enum class Kind : std::uint8_t { kServer, kUser, kAgent, kAddress };
  Caller(Kind kind, std::uint64_t id) : kind_(kind), id_(id) {}

  Kind kind_ = Kind::kServer;
  std::uint64_t id_ = 0;
};

/// A pool of threads for work of many callers that blocks: SQL, Git, password hashing. Callers are served in
/// turn, and each has a share of his own, so that one who asks for much waits behind himself. Strangers all
/// together have a part of the threads only, and where both wait, they and those who are known take turns.
class FairPool {
 public:
  struct Limits {
    /// Limit: tasks of one caller that run at once; over it they wait for their turn.
    std::size_t running_per_caller = 2;
    /// Limit: tasks of all strangers that run at once, 0 for half of the threads; over it they wait for their
    /// turn.
    std::size_t running_of_strangers = 0;
    /// Limit: tasks of one caller that wait for a thread; over it they are refused.
    std::size_t waiting_per_caller = 256;
    /// Limit: tasks of all callers that wait for a thread; over it they are refused.
    std::size_t waiting = 1000;
  };

  explicit FairPool(std::size_t threads) : FairPool(threads, Limits()) {}
  FairPool(std::size_t threads, Limits limits);
  /// Waits for the running tasks; drops those that have not started, and their `done`.
  ~FairPool();

  /// Runs `work` on a pool's thread, then `done` on `loop`. Work that `interrupt` tells to end before it has
  /// begun is left out; `done` follows all the same. RESOURCE_EXHAUSTED, naming the limit, when too much
  /// waits: neither will run.
  Status submit(Loop& loop, Caller who, Task work, Task done, InterruptPtr interrupt = nullptr);

  /// What its threads are at, for a Watchdog. From any thread.
  std::vector<RunningTask> running() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace towline::io
