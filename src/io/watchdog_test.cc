#include "io/watchdog.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/loop.h"

namespace towline::io {

// With a name that a stack can show.
__attribute__((noinline)) void blocks_on_purpose(std::atomic<bool>& begun, const std::atomic<bool>& end) {
  begun = true;
  while (!end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A loop that turns when the test says so.
class WatchdogTest : public ::testing::Test {
 protected:
  void live_for(int intervals) {
    for (int i = 0; i < intervals; ++i) {
      clock.advance(seconds(1));
      watchdog.look();
    }
  }

  FakeClock clock;
  Loop loop{clock};
  std::vector<std::string> lines;
  Watchdog watchdog{{&loop}, clock, {}, Logger::to_vector(&lines)};
};

TEST_F(WatchdogTest, ALoopThatTurnsIsAlive) {
  for (int i = 0; i < 20; ++i) {
    live_for(1);
    loop.poll();
  }
  EXPECT_TRUE(watchdog.alive().ok());
  EXPECT_EQ(watchdog.counts().loop_stalls, 0U);
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(WatchdogTest, ALoopThatDoesNotTurnIsCountedOnceAndNotAlive) {
  live_for(1);
  loop.poll();
  live_for(30);
  EXPECT_EQ(watchdog.alive().code(), Code::kUnavailable);
  EXPECT_EQ(watchdog.counts().loop_stalls, 1U);
  EXPECT_EQ(lines.size(), 3U) << "after 5, 10 and 20 seconds";
}

TEST_F(WatchdogTest, ALoopThatTurnsAgainIsAliveAgainAndItsLongestTurnIsKept) {
  live_for(10);
  loop.poll();
  live_for(1);
  EXPECT_TRUE(watchdog.alive().ok());
  EXPECT_THAT(lines, Contains(HasSubstr("an event loop goes on")));
  EXPECT_NEAR(watchdog.counts().longest_turn_seconds, 9, 1);
  loop.poll();
  live_for(20);
  EXPECT_EQ(watchdog.counts().loop_stalls, 2U);
}

TEST_F(WatchdogTest, AProcessThatWasStoppedHasNotStalled) {
  live_for(1);
  clock.advance(hours(1));
  watchdog.look();
  EXPECT_TRUE(watchdog.alive().ok());
  loop.poll();
  live_for(1);
  EXPECT_LT(watchdog.counts().longest_turn_seconds, 4);
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(WatchdogTest, AStallGoesOnAcrossAStop) {
  live_for(4);
  clock.advance(hours(1));
  watchdog.look();
  live_for(4);
  EXPECT_FALSE(watchdog.alive().ok());
}

TEST_F(WatchdogTest, WorkThatDoesNotEndIsReportedOnce) {
  std::atomic<bool> begun{false}, end{false};
  std::thread worker([&] { blocks_on_purpose(begun, end); });
  while (!begun) std::this_thread::yield();
  watchdog.watch([&, since = clock.now()] {
    return std::vector<RunningTask>{{"user 7", since, worker.native_handle()}};
  });
  for (int i = 0; i < 200; ++i) {
    live_for(1);
    loop.poll();
  }
  EXPECT_EQ(watchdog.counts().task_stalls, 1U);
  EXPECT_THAT(lines, ::testing::ElementsAre(
                         AllOf(HasSubstr(R"("caller":"user 7")"), HasSubstr("blocks_on_purpose"))));
  EXPECT_TRUE(watchdog.alive().ok()) << "loops turn";
  end = true;
  worker.join();
}

TEST(WatchdogThreadTest, ABlockedLoopIsReportedWithItsStack) {
  const SystemClock clock;
  LoopGroup loops(1, clock);
  std::vector<std::string> lines;
  Watchdog watchdog(loops_of(loops), clock, {.loop_stall = milliseconds(300), .interval = milliseconds(30)},
                    Logger::to_vector(&lines));
  watchdog.start();
  std::atomic<bool> begun{false}, end{false};
  // Blocks only when the watchdog has been answered once, and so knows the thread.
  while (watchdog.counts().longest_turn_seconds == 0) std::this_thread::sleep_for(milliseconds(5));
  loops.at(0).post([&] { blocks_on_purpose(begun, end); });
  while (watchdog.counts().loop_stalls == 0) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_FALSE(watchdog.alive().ok());
  end = true;
  while (!watchdog.alive().ok()) std::this_thread::sleep_for(milliseconds(5));
  watchdog.stop();
  EXPECT_EQ(watchdog.counts().loop_stalls, 1U);
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr(R"("loop":0)"), HasSubstr("blocks_on_purpose"),
                                    HasSubstr("io_tests+0x"))));
}

}  // namespace
}  // namespace towline::io
