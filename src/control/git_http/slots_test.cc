#include "control/git_http/slots.h"

#include <vector>

#include <gtest/gtest.h>

namespace towline::control::git_http {
namespace {

class SlotsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Slots::Ticket> enter(const io::Caller& caller) {
    return slots->enter(
        caller, [this] { ++granted; }, refusal);
  }
  std::shared_ptr<Slots> slots = std::make_shared<Slots>(Slots::Limits{.running = 6,
                                                                       .running_per_caller = 2,
                                                                       .running_of_strangers = 3,
                                                                       .waiting_per_caller = 2,
                                                                       .waiting = 5});
  Slots::Refusal refusal{};
  int granted = 0;
};

TEST_F(SlotsTest, ACallerWaitsBehindHimself) {
  const auto ada = io::Caller::user(1);
  auto one = enter(ada);
  auto two = enter(ada);
  EXPECT_EQ(granted, 2);
  auto three = enter(ada);
  auto four = enter(ada);
  EXPECT_EQ(granted, 2);
  EXPECT_EQ(enter(ada), nullptr);
  EXPECT_EQ(refusal, Slots::Refusal::kCaller);
  auto other = enter(io::Caller::user(2));
  EXPECT_EQ(granted, 3);
  three.reset();  // one that does not want to wait
  one.reset();
  EXPECT_EQ(granted, 4);
  two.reset();
  four.reset();
  EXPECT_NE(enter(ada), nullptr);
}

TEST_F(SlotsTest, StrangersLeaveRoomForUsers) {
  std::vector<std::unique_ptr<Slots::Ticket>> tickets;
  for (int i = 0; i < 5; ++i)
    tickets.push_back(enter(io::Caller::address("192.0.2." + std::to_string(i) + ":99")));
  EXPECT_EQ(granted, 3);
  for (int i = 0; i < 3; ++i) tickets.push_back(enter(io::Caller::user(i)));
  EXPECT_EQ(granted, 6);
  auto late = enter(io::Caller::user(9));
  EXPECT_EQ(granted, 6);
  tickets.pop_back();
  EXPECT_EQ(granted, 7) << "the user, who came after the strangers";
  tickets.clear();
}

TEST_F(SlotsTest, SoManyWaitAltogether) {
  std::vector<std::unique_ptr<Slots::Ticket>> tickets;
  for (int i = 0; i < 11; ++i) tickets.push_back(enter(io::Caller::user(i)));
  EXPECT_EQ(refusal, Slots::Refusal::kNone);
  EXPECT_EQ(enter(io::Caller::user(99)), nullptr);
  EXPECT_EQ(refusal, Slots::Refusal::kAll);
}

}  // namespace
}  // namespace towline::control::git_http
