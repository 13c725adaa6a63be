#include "io/loop.h"

#include <atomic>
#include <future>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

namespace towline::io {
namespace {

using std::chrono::seconds;

TEST(Timer, FiresWhenItsClockSaysSo) {
  FakeClock clock;
  Loop loop(clock);
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  timer.start(seconds(10));
  loop.poll();
  EXPECT_EQ(fired, 0);
  clock.advance(seconds(10));
  loop.poll();
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(Timer, MovingTheDeadlineOutPostponesIt) {
  FakeClock clock;
  Loop loop(clock);
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  timer.start(seconds(10));
  clock.advance(seconds(9));
  timer.start(seconds(10));
  clock.advance(seconds(9));
  loop.poll();
  EXPECT_EQ(fired, 0);
  clock.advance(seconds(1));
  loop.poll();
  EXPECT_EQ(fired, 1);
}

TEST(Timer, MovingTheDeadlineInHastensIt) {
  FakeClock clock;
  Loop loop(clock);
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  timer.start(seconds(10));
  timer.start(seconds(1));
  clock.advance(seconds(1));
  loop.poll();
  EXPECT_EQ(fired, 1);
}

TEST(Timer, DoesNotFireAfterCancelOrDestruction) {
  FakeClock clock;
  Loop loop(clock);
  int fired = 0;
  Timer cancelled(loop, [&] { ++fired; });
  cancelled.start(seconds(1));
  cancelled.cancel();
  {
    Timer destroyed(loop, [&] { ++fired; });
    destroyed.start(seconds(1));
  }
  clock.advance(seconds(2));
  loop.poll();
  EXPECT_EQ(fired, 0);
}

TEST(Timer, MayDestroyItselfInItsCallback) {
  FakeClock clock;
  Loop loop(clock);
  auto timer = std::make_unique<std::optional<Timer>>();
  timer->emplace(loop, [&] { timer->reset(); });
  (*timer)->start(seconds(1));
  clock.advance(seconds(1));
  loop.poll();
  EXPECT_FALSE(timer->has_value());
}

TEST(Timer, MayStartItselfAgainInItsCallback) {
  FakeClock clock;
  Loop loop(clock);
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&] {
    if (++fired < 3) timer->start(seconds(1));
  });
  timer->start(seconds(1));
  for (int i = 0; i < 5; ++i) {
    clock.advance(seconds(1));
    loop.poll();
  }
  EXPECT_EQ(fired, 3);
}

TEST(Loop, MayBeDestroyedWithTasksThatHoldTimers) {
  FakeClock clock;
  auto loop = std::make_unique<Loop>(clock);
  auto timer = std::make_shared<Timer>(*loop, [] {});
  timer->start(seconds(10));
  loop->post([kept = std::move(timer)] {});
  loop.reset();
}

TEST(LoopGroup, RunsTasksOnTheirOwnLoop) {
  SystemClock clock;
  LoopGroup loops(2, clock);
  std::promise<bool> right;
  loops.at(1).post([&] { right.set_value(loops.at(1).on_loop() && !loops.at(0).on_loop()); });
  EXPECT_TRUE(right.get_future().get());
}

TEST(WorkerPool, WorksOffTheLoopAndReturnsToIt) {
  SystemClock clock;
  LoopGroup loops(1, clock);
  std::promise<std::pair<bool, bool>> where;
  bool worked_on_loop = true;
  {
    WorkerPool pool(1);
    ASSERT_TRUE(pool.submit(
        loops.at(0), [&] { worked_on_loop = loops.at(0).on_loop(); },
        [&] {
          where.set_value({worked_on_loop, loops.at(0).on_loop()});
        }));
    const auto [work, done] = where.get_future().get();
    EXPECT_FALSE(work);
    EXPECT_TRUE(done);
  }
}

}  // namespace
}  // namespace towline::io
