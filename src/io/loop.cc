#include "io/loop.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <utility>

#include <boost/asio/defer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace towline::io {

namespace asio = boost::asio;

namespace {
thread_local Loop* current_loop = nullptr;
constexpr std::size_t kScratch = 64 * 1024;
}  // namespace

struct Timer::State {
  Loop* loop;
  Task on_expiry;
  bool armed = false;
  bool queued = false;
  Clock::TimePoint deadline{};   // when the callback is due
  Clock::TimePoint queued_at{};  // the loop's queue holds this, never later than `deadline`
  // Set while the callback runs; tells whether it destroyed the timer.
  bool* destroyed = nullptr;
};

struct Loop::Impl {
  explicit Impl(Loop& loop) : owner(loop), context(1), guard(context.get_executor()), wakeup(context) {}

  void queue(Timer::State* timer);
  void arm();
  std::size_t run_due();

  Loop& owner;
  // Before the context: tasks that it destroys unrun may hold timers, which take themselves out of here.
  std::set<std::pair<Clock::TimePoint, Timer::State*>> timers;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  std::atomic<std::thread::id> thread{};
  // Not written here: only what is used of them becomes resident.
  std::unique_ptr<std::byte[]> scratch = std::make_unique_for_overwrite<std::byte[]>(kScratch);
  std::unique_ptr<std::byte[]> output_scratch = std::make_unique_for_overwrite<std::byte[]>(kScratch);

  asio::steady_timer wakeup;  // for the earliest of `timers`
  std::optional<Clock::TimePoint> wakeup_at;
};

void Loop::Impl::queue(Timer::State* timer) {
  timer->queued = true;
  timer->queued_at = timer->deadline;
  timers.emplace(timer->deadline, timer);
  arm();
}

void Loop::Impl::arm() {
  if (timers.empty()) return;
  const Clock::TimePoint earliest = timers.begin()->first;
  if (wakeup_at && *wakeup_at <= earliest) return;
  wakeup_at = earliest;
  wakeup.expires_after(std::max(earliest - owner.now(), Clock::Duration::zero()));
  wakeup.async_wait([this](boost::system::error_code error) {
    if (error) return;
    wakeup_at.reset();
    run_due();
    arm();
  });
}

std::size_t Loop::Impl::run_due() {
  std::size_t ran = 0;
  const Clock::TimePoint now = owner.now();
  while (!timers.empty() && timers.begin()->first <= now) {
    Timer::State* timer = timers.begin()->second;
    timers.erase(timers.begin());
    timer->queued = false;
    if (!timer->armed) continue;
    if (timer->deadline > now) {
      queue(timer);
      continue;
    }
    timer->armed = false;
    bool destroyed = false;
    timer->destroyed = &destroyed;
    // The callback leaves its State while it runs: destroying the timer must not destroy what is running.
    Task callback = std::move(timer->on_expiry);
    callback();
    ++ran;
    if (destroyed) continue;
    timer->destroyed = nullptr;
    timer->on_expiry = std::move(callback);
  }
  return ran;
}

Loop::Loop(const Clock& clock) : impl_(std::make_unique<Impl>(*this)), clock_(clock) {}

Loop::~Loop() = default;

void Loop::run() {
  impl_->thread = std::this_thread::get_id();
  current_loop = this;
  impl_->context.run();
  current_loop = nullptr;
  impl_->thread = std::thread::id();
}

void Loop::stop() { impl_->context.stop(); }

std::size_t Loop::poll() {
  const auto before = impl_->thread.exchange(std::this_thread::get_id());
  impl_->context.restart();
  std::size_t ran = impl_->run_due();
  ran += impl_->context.poll();
  impl_->thread = before;
  return ran;
}

void Loop::post(Task task) { asio::post(impl_->context, std::move(task)); }

void Loop::dispatch(Task task) {
  if (on_loop()) {
    task();
  } else {
    post(std::move(task));
  }
}

bool Loop::on_loop() const {
  return impl_->thread.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

Loop* Loop::current() { return current_loop; }

void Loop::defer(Task task) { asio::defer(impl_->context, std::move(task)); }

std::span<std::byte> Loop::scratch() { return {impl_->scratch.get(), kScratch}; }

std::span<std::byte> Loop::output_scratch() { return {impl_->output_scratch.get(), kScratch}; }

asio::io_context& Loop::context() { return impl_->context; }

LoopGroup::LoopGroup(std::size_t count, const Clock& clock) {
  for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i) {
    loops_.push_back(std::make_unique<Loop>(clock));
  }
  for (auto& loop : loops_) threads_.emplace_back([raw = loop.get()] { raw->run(); });
}

LoopGroup::~LoopGroup() { join(); }

void LoopGroup::join() {
  for (auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

Timer::Timer(Loop& loop, Task on_expiry)
    : state_(std::make_unique<State>(State{.loop = &loop, .on_expiry = std::move(on_expiry)})) {}

Timer::~Timer() {
  if (state_->queued) state_->loop->impl_->timers.erase({state_->queued_at, state_.get()});
  if (state_->destroyed != nullptr) *state_->destroyed = true;
}

void Timer::start(std::chrono::nanoseconds delay) {
  Loop::Impl& loop = *state_->loop->impl_;
  state_->armed = true;
  state_->deadline = state_->loop->now() + delay;
  if (state_->queued && state_->queued_at <= state_->deadline) return;  // looked at again when that is due
  if (state_->queued) loop.timers.erase({state_->queued_at, state_.get()});
  loop.queue(state_.get());
}

void Timer::cancel() { state_->armed = false; }

bool Timer::armed() const { return state_->armed; }

}  // namespace towline::io
