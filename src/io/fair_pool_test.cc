#include "io/fair_pool.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace towline::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Tasks that wait here hold their threads until it is opened.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++inside;
    opened_.wait(lock, [this] { return open_; });
    --inside;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  std::atomic<std::size_t> inside{0};

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

bool wait_for(const std::function<bool()>& done) {
  for (int i = 0; i < 5000 && !done(); ++i) std::this_thread::sleep_for(milliseconds(1));
  return done();
}

// The gate outlives the pool; a test that holds it opens it.
struct FairPoolTest : testing::Test {
  ~FairPoolTest() override { gate.open(); }

  Status hold(FairPool& pool, Caller who) {
    return pool.submit(
        loops.at(0), who, [this] { gate.pass(); }, [] {});
  }
  // Submits, and gives a future of the work's beginning.
  std::future<void> begin(FairPool& pool, Caller who) {
    auto began = std::make_shared<std::promise<void>>();
    auto future = began->get_future();
    const Status status = pool.submit(
        loops.at(0), who, [began] { began->set_value(); }, [] {});
    EXPECT_TRUE(status.ok()) << status.message();
    return future;
  }
  static bool comes(std::future<void>& future) {
    return future.wait_for(seconds(5)) == std::future_status::ready;
  }

  SystemClock clock;
  Gate gate;
  LoopGroup loops{1, clock};
};

const Caller kAlice = Caller::user(1);
const Caller kBob = Caller::user(2);

TEST_F(FairPoolTest, WorksOffTheLoopAndReturnsToIt) {
  std::promise<std::pair<bool, bool>> where;
  bool worked_on_loop = true;
  FairPool pool(1);
  const Status status = pool.submit(
      loops.at(0), {}, [&] { worked_on_loop = loops.at(0).on_loop(); },
      [&] {
        where.set_value({worked_on_loop, loops.at(0).on_loop()});
      });
  ASSERT_TRUE(status.ok());
  const auto [work, done] = where.get_future().get();
  EXPECT_FALSE(work);
  EXPECT_TRUE(done);
}

TEST_F(FairPoolTest, OneCallerWithManyTasksThatNeverEndDelaysNobodyElse) {
  FairPool pool(8, {.waiting_per_caller = 200});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(hold(pool, kAlice).ok());
  for (std::int64_t user = 2; user < 20; ++user) {
    auto other = begin(pool, Caller::user(user));
    EXPECT_TRUE(comes(other));
  }
  auto agent = begin(pool, Caller::agent(1));
  EXPECT_TRUE(comes(agent)) << "an agent is another caller than the user of its number";
  EXPECT_EQ(gate.inside, 2U);
  gate.open();
}

TEST_F(FairPoolTest, SaysWhatItsThreadsAreAt) {
  FairPool pool(4);
  EXPECT_TRUE(pool.running().empty());
  ASSERT_TRUE(hold(pool, Caller::user(7)).ok());
  ASSERT_TRUE(hold(pool, Caller::address("192.0.2.1:443")).ok());
  ASSERT_TRUE(wait_for([&] { return gate.inside == 2; }));
  std::set<std::string> callers;
  for (const RunningTask& each : pool.running()) {
    callers.insert(each.caller);
    EXPECT_LE(each.since, clock.now());
  }
  EXPECT_EQ(callers, (std::set<std::string>{"user 7", "a stranger"}));
  gate.open();
  EXPECT_TRUE(wait_for([&] { return pool.running().empty(); }));
}

TEST_F(FairPoolTest, TheServersOwnWorkHasNoShare) {
  FairPool pool(4);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(hold(pool, {}).ok());
  EXPECT_TRUE(wait_for([&] { return gate.inside == 4; }));
  gate.open();
}

TEST_F(FairPoolTest, StrangersFromEverywhereLeaveHalfOfTheThreads) {
  FairPool pool(4);
  for (int i = 1; i < 100; ++i) {
    ASSERT_TRUE(hold(pool, Caller::address("192.0.2." + std::to_string(i) + ":1")).ok());
  }
  for (int i = 0; i < 3; ++i) {
    auto other = begin(pool, kBob);
    EXPECT_TRUE(comes(other));
  }
  EXPECT_TRUE(wait_for([&] { return gate.inside == 2; }));
  gate.open();
}

TEST_F(FairPoolTest, CallersAreServedInTurn) {
  FairPool pool(1);
  ASSERT_TRUE(hold(pool, {}).ok());
  ASSERT_TRUE(wait_for([&] { return gate.inside == 1; }));
  std::mutex mutex;
  std::string order;
  std::promise<void> all;
  const auto note = [&](char name, Caller who) {
    const Status status = pool.submit(
        loops.at(0), who,
        [&, name] {
          const std::lock_guard lock(mutex);
          order += name;
          if (order.size() == 9) all.set_value();
        },
        [] {});
    EXPECT_TRUE(status.ok());
  };
  for (int i = 0; i < 4; ++i) note('a', kAlice);
  for (int i = 0; i < 2; ++i) note('b', kBob);
  for (int i = 0; i < 3; ++i) note('s', Caller::address("192.0.2.1:1"));
  gate.open();
  all.get_future().get();
  EXPECT_EQ(order, "sasbsabaa");
}

TEST_F(FairPoolTest, RefusesWhatIsTooMuchForOneAndSaysWhichLimit) {
  FairPool pool(2, {.running_per_caller = 1, .waiting_per_caller = 3, .waiting = 5});
  ASSERT_TRUE(hold(pool, kAlice).ok());
  ASSERT_TRUE(wait_for([&] { return gate.inside == 1; }));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(hold(pool, kAlice).ok());
  const Status mine = hold(pool, kAlice);
  EXPECT_EQ(mine.code(), Code::kResourceExhausted);
  EXPECT_EQ(mine.message(), "the limit of 3 waiting requests of yours is reached; try again in a second");
  ASSERT_TRUE(hold(pool, kBob).ok());
  ASSERT_TRUE(wait_for([&] { return gate.inside == 2; }));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(hold(pool, {}).ok());
  const Status all = hold(pool, kBob);
  EXPECT_EQ(all.code(), Code::kResourceExhausted);
  EXPECT_EQ(all.message(), "the limit of 5 waiting requests of everybody is reached; try again in a second");
  gate.open();
  EXPECT_TRUE(wait_for([&] { return hold(pool, kAlice).ok(); })) << "room comes again";
}

TEST_F(FairPoolTest, WorkThatNobodyWaitsForIsLeftOut) {
  FairPool pool(1);
  ASSERT_TRUE(hold(pool, {}).ok());
  std::atomic<bool> worked = false;
  std::promise<void> done;
  const auto interrupt = std::make_shared<Interrupt>(clock, seconds(60));
  const Status status = pool.submit(
      loops.at(0), kAlice, [&] { worked = true; }, [&] { done.set_value(); }, interrupt);
  ASSERT_TRUE(status.ok());
  interrupt->cancel();
  gate.open();
  done.get_future().get();
  EXPECT_FALSE(worked);
}

TEST_F(FairPoolTest, WorkWhoseTimeIsUpIsLeftOut) {
  FakeClock stopped;
  FairPool pool(1);
  std::atomic<bool> worked = false;
  std::promise<void> done;
  const Status status = pool.submit(
      loops.at(0), kAlice, [&] { worked = true; }, [&] { done.set_value(); },
      std::make_shared<Interrupt>(stopped, seconds(0)));
  ASSERT_TRUE(status.ok());
  done.get_future().get();
  EXPECT_FALSE(worked);
}

TEST_F(FairPoolTest, EndsWithoutWhatWaits) {
  std::atomic<int> worked = 0;
  std::shared_ptr<int> held = std::make_shared<int>();
  {
    auto pool = std::make_unique<FairPool>(1);
    ASSERT_TRUE(hold(*pool, {}).ok());
    ASSERT_TRUE(wait_for([&] { return gate.inside == 1; }));
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(pool->submit(
                          loops.at(0), kAlice, [&worked, held] { ++worked; }, [] {})
                      .ok());
    }
    std::thread ending([&] { pool.reset(); });
    gate.open();
    ending.join();
  }
  EXPECT_LE(worked, 10);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Caller, KnowsStrangersByTheirAddressAndNotByTheirPort) {
  EXPECT_EQ(Caller::address("192.0.2.1:1"), Caller::address("192.0.2.1:65000"));
  EXPECT_NE(Caller::address("192.0.2.1:1"), Caller::address("192.0.2.2:1"));
  EXPECT_NE(Caller::address("192.0.2.1:1"), Caller::user(0));
  EXPECT_EQ(Caller::address("local"), Caller::address("other"));
}

TEST(Caller, TakesAnIPv6NetworkForOne) {
  const Caller one = Caller::address("[2001:db8:1:2::1]:443");
  EXPECT_EQ(one, Caller::address("[2001:db8:1:2:ffff::9]:80"));
  EXPECT_NE(one, Caller::address("[2001:db8:1:3::1]:443"));
  EXPECT_NE(one, Caller::address("local"));
  EXPECT_EQ(Caller::address("[fe80::1%eth0]:1"), Caller::address("[fe80::2]:1"));
  std::set<Caller> ordered{one, Caller(), Caller::user(1)};
  EXPECT_TRUE(ordered.contains(Caller()));
}

}  // namespace
}  // namespace towline::io
