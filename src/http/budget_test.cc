#include "http/budget.h"

#include <gtest/gtest.h>

namespace towline::http {
namespace {

const io::Caller kAlice = io::Caller::user(1);
const io::Caller kBob = io::Caller::user(2);

TEST(Budget, GivesEachCallerHisOwnAndTakesItBack) {
  const auto budget =
      Budget::make("bytes", {.per_caller = 10, .per_address = 10, .of_strangers = 10, .of_all = 100});
  Budget::Part a = budget->part(kAlice);
  EXPECT_TRUE(a.grow(6).ok());
  EXPECT_TRUE(a.grow(4).ok());
  {
    Budget::Part b = budget->part(kAlice);
    const Status status = b.grow(1);
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_EQ(status.message(), "the limit of 10 bytes for you at once is reached; try again later");
    Budget::Part c = budget->part(kBob);
    EXPECT_TRUE(c.grow(10).ok());
    EXPECT_EQ(budget->held(), 20U);
  }
  EXPECT_EQ(budget->held(), 10U);
  const Budget::Part moved = std::move(a);
  EXPECT_EQ(moved.held(), 10U);
  EXPECT_EQ(budget->held(), 10U);
}

TEST(Budget, LeavesRoomForThoseWhoAreKnown) {
  const auto budget =
      Budget::make("bytes", {.per_caller = 10, .per_address = 10, .of_strangers = 15, .of_all = 30});
  Budget::Part one = budget->part(io::Caller::address("192.0.2.1:1"));
  Budget::Part two = budget->part(io::Caller::address("192.0.2.2:1"));
  Budget::Part alice = budget->part(kAlice);
  Budget::Part bob = budget->part(kBob);
  EXPECT_TRUE(one.grow(10).ok());
  EXPECT_NE(two.grow(6).message().find("for those who have not logged in"), std::string::npos);
  EXPECT_TRUE(two.grow(5).ok());
  EXPECT_TRUE(alice.grow(10).ok());
  EXPECT_NE(bob.grow(6).message().find("for everybody"), std::string::npos);
  EXPECT_TRUE(bob.grow(5).ok());
}

TEST(Budget, GivesAnAddressItsOwnLimit) {
  const auto budget =
      Budget::make("bytes", {.per_caller = 10, .per_address = 5, .of_strangers = 15, .of_all = 30});
  Budget::Part one = budget->part(io::Caller::address("192.0.2.1:1"));
  EXPECT_TRUE(one.grow(5).ok());
  EXPECT_NE(one.grow(1).message().find("5 bytes for your address"), std::string::npos);
}

TEST(Budget, APartMayOutliveItsOwner) {
  auto budget =
      Budget::make("bytes", {.per_caller = 10, .per_address = 10, .of_strangers = 10, .of_all = 10});
  Budget::Part part = budget->part(kAlice);
  EXPECT_TRUE(part.grow(10).ok());
  budget.reset();
  part = Budget::Part();
}

}  // namespace
}  // namespace towline::http
