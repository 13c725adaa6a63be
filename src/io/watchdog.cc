#include "io/watchdog.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/stack.h"
#include "io/loop.h"

namespace towline::io {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::seconds kStackTime{1};

double in_seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

// What a loop answers. Shared with the task that is posted to it, which may outlive the watchdog.
struct Pulse {
  std::atomic<bool> felt{false};
  std::atomic<Clock::Duration::rep> felt_at{0};
  std::atomic<pthread_t> thread{};
  std::atomic<bool> known{false};  // the thread is
};

struct WatchedLoop {
  Loop* loop;
  std::shared_ptr<Pulse> pulse = std::make_shared<Pulse>();
  bool sent = false;
  Clock::TimePoint sent_at{};
  nanoseconds sent_when_watched{0};
  std::optional<nanoseconds> next_report;  // set while it is stalled
};

}  // namespace

struct Watchdog::Impl {
  Impl(const std::vector<Loop*>& all, const Clock& c, Options o, Logger l)
      : clock(c), options(o), log(std::move(l)), looked_at(clock.now()) {
    for (Loop* loop : all) loops.push_back({.loop = loop});
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      look();
      lock.lock();
      wake.wait_for(lock, options.interval, [this] { return stopping; });
    }
  }

  // Two intervals pass between two looks at the most. What is beyond was no time of this process: it was
  // stopped, or had no processor.
  void look() {
    const Clock::TimePoint now = clock.now();
    watched += std::min<nanoseconds>(now - looked_at, 2 * options.interval);
    looked_at = now;
    for (std::size_t i = 0; i < loops.size(); ++i) look_at(loops[i], i);
    look_at_tasks();
  }

  void look_at(WatchedLoop& each, std::size_t number) {
    if (!each.sent) return send(each);
    const nanoseconds waited = watched - each.sent_when_watched;
    if (each.pulse->felt.load(std::memory_order_acquire)) {
      const Clock::TimePoint felt_at{Clock::Duration(each.pulse->felt_at.load(std::memory_order_relaxed))};
      note_turn(std::min<nanoseconds>(felt_at - each.sent_at, waited));
      if (std::exchange(each.next_report, std::nullopt)) {
        stalled.fetch_sub(1);
        log.warn("an event loop goes on", {{"loop", number}, {"seconds", in_seconds(waited)}});
      }
      return send(each);
    }
    if (waited < each.next_report.value_or(options.loop_stall)) return;
    note_turn(waited);
    if (!each.next_report) {
      stalled.fetch_add(1);
      loop_stalls.fetch_add(1);
    }
    each.next_report = 2 * waited;
    report(each, number, waited);
  }

  void send(WatchedLoop& each) {
    each.sent = true;
    each.sent_at = looked_at;
    each.sent_when_watched = watched;
    each.pulse->felt.store(false, std::memory_order_relaxed);
    each.loop->post([pulse = each.pulse, loop = each.loop] {
      pulse->thread.store(pthread_self(), std::memory_order_relaxed);
      pulse->known.store(true, std::memory_order_release);
      pulse->felt_at.store(loop->now().time_since_epoch().count(), std::memory_order_relaxed);
      pulse->felt.store(true, std::memory_order_release);
    });
  }

  void note_turn(nanoseconds time) {
    if (in_seconds(time) > longest_turn.load()) longest_turn.store(in_seconds(time));
  }

  void report(const WatchedLoop& each, std::size_t number, nanoseconds waited) {
    const bool known = each.pulse->known.load(std::memory_order_acquire);
    log.error("an event loop does not go on: its connections wait",
              {{"loop", number},
               {"seconds", in_seconds(waited)},
               {"stack", known ? stack_of(each.pulse->thread) : ""}});
    log.flush();
  }

  std::string stack_of(pthread_t which) {
    const Stack stack = stacks.read(which, kStackTime);
    return stack.empty() ? "the thread does not answer: it waits in the kernel" : to_text(stack);
  }

  void look_at_tasks() {
    std::map<std::pair<pthread_t, Clock::TimePoint>, SeenTask> seen;
    for (const auto& running : pools) {
      for (const RunningTask& task : running()) {
        const auto key = std::pair(task.thread, task.since);
        const auto known = tasks.find(key);
        SeenTask now = known == tasks.end() ? SeenTask{.since = watched} : known->second;
        const nanoseconds held = watched - now.since;
        if (held >= options.task_stall && !std::exchange(now.reported, true)) {
          task_stalls.fetch_add(1);
          log.error(
              "work does not end and holds a thread of the pool",
              {{"caller", task.caller}, {"seconds", in_seconds(held)}, {"stack", stack_of(task.thread)}});
        }
        seen.emplace(key, now);
      }
    }
    tasks = std::move(seen);
  }

  struct SeenTask {
    nanoseconds since{0};
    bool reported = false;
  };

  const Clock& clock;
  const Options options;
  Logger log;
  StackReader stacks;
  std::vector<WatchedLoop> loops;
  std::vector<std::function<std::vector<RunningTask>()>> pools;
  std::map<std::pair<pthread_t, Clock::TimePoint>, SeenTask> tasks;
  Clock::TimePoint looked_at;
  nanoseconds watched{0};  // time that this process has lived through under this watch

  std::atomic<std::uint64_t> loop_stalls{0};
  std::atomic<std::uint64_t> task_stalls{0};
  std::atomic<std::size_t> stalled{0};
  std::atomic<double> longest_turn{0};

  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::thread thread;
};

Watchdog::Watchdog(std::vector<Loop*> loops, const Clock& clock, Options options, Logger log)
    : impl_(std::make_unique<Impl>(loops, clock, options, std::move(log))) {}

Watchdog::~Watchdog() { stop(); }

void Watchdog::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void Watchdog::stop() {
  if (!impl_->thread.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void Watchdog::watch(std::function<std::vector<RunningTask>()> running) {
  impl_->pools.push_back(std::move(running));
}

Status Watchdog::alive() const {
  const std::size_t stalled = impl_->stalled.load();
  if (stalled == 0) return {};
  return {Code::kUnavailable,
          std::to_string(stalled) + " event loops do not go on: the log has their stacks"};
}

Watchdog::Counts Watchdog::counts() const {
  return {impl_->loop_stalls.load(), impl_->task_stalls.load(), impl_->longest_turn.load()};
}

void Watchdog::look() { impl_->look(); }

std::vector<Loop*> loops_of(LoopGroup& group) {
  std::vector<Loop*> loops;
  for (std::size_t i = 0; i < group.size(); ++i) loops.push_back(&group.at(i));
  return loops;
}

}  // namespace towline::io
