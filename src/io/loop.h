#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace boost::asio {
class io_context;
}

namespace towline::io {

using Task = std::move_only_function<void()>;

/// One thread's event loop. Everything that lives on a loop is made, used and destroyed there.
class Loop {
 public:
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(); the calling thread becomes the loop's thread.
  void run();
  /// Ends run() after the task at hand. Safe from any thread.
  void stop();
  /// Runs what is ready now, timers that are due by the loop's clock included, and returns how many tasks
  /// that were. The calling thread is the loop's thread meanwhile. For tests that move a FakeClock.
  std::size_t poll();

  /// Runs `task` on the loop, later. Safe from any thread. Tasks of one thread run in their order; tasks
  /// left when the loop is destroyed are destroyed without running.
  void post(Task task);
  /// Runs `task` now when called on the loop, else posts it.
  void dispatch(Task task);
  bool on_loop() const;
  /// The loop that the calling thread runs in run(); null on other threads.
  static Loop* current();

  /// Runs `task` on the loop once the handler at hand has returned and before the loop waits again. For
  /// flushing what several callbacks have written in one system call. Only from the loop's thread.
  void defer(Task task);

  const Clock& clock() const { return clock_; }
  Clock::TimePoint now() const { return clock_.now(); }

  /// A buffer of 64 KiB that all users of the loop share, so that an idle connection needs none of its own.
  /// Its contents are valid until control returns to the loop or the next user takes it; do not hold it
  /// across a callback.
  std::span<std::byte> scratch();
  /// Another one, for gathering what is written; the same rules.
  std::span<std::byte> output_scratch();

  boost::asio::io_context& context();

 private:
  friend class Timer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
  const Clock& clock_;
};

/// A fixed set of loops, each with a thread of its own.
class LoopGroup {
 public:
  /// Starts `count` loops (at least one).
  LoopGroup(std::size_t count, const Clock& clock);
  /// Stops the loops, joins the threads, then destroys the loops.
  ~LoopGroup();

  std::size_t size() const { return loops_.size(); }
  Loop& at(std::size_t index) { return *loops_[index]; }

  /// Stops the loops and joins their threads. Objects that live on them may then be destroyed from here.
  void join();

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
};

/// A single-shot timer by the loop's clock. Lives on its loop. Destroying it, or starting it again, cancels
/// what was pending: after that the callback does not run. Moving the deadline further out is cheap, so that
/// a connection can do it with each request. The callback may destroy its timer.
class Timer {
 public:
  Timer(Loop& loop, Task on_expiry);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::chrono::nanoseconds delay);
  void cancel();
  bool armed() const;

 private:
  friend class Loop;
  struct State;
  std::unique_ptr<State> state_;
};

/// A pool of threads for work that blocks: SQL, Git, password hashing, getaddrinfo.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  /// Waits for the running tasks; drops those that have not started.
  ~WorkerPool();

  /// Runs `work` on a pool thread, then `done` on `loop`. False when the queue (1,024 tasks) is full: the
  /// caller answers RESOURCE_EXHAUSTED.
  bool submit(Loop& loop, Task work, Task done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace towline::io
