// What crosses between two loops of a routed call.
#include "tunnel/server/link.h"

#include <memory>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "io/loop.h"

namespace towline::tunnel {
namespace {

using ::testing::ElementsAre;

struct LinkTest : ::testing::Test {
  FakeClock clock;
  std::optional<io::Loop> caller_loop{clock};
  std::optional<io::Loop> tunnel_loop{clock};
  std::shared_ptr<Link> link = make();

  std::shared_ptr<Link> make() {
    auto made = std::make_shared<Link>(*caller_loop);
    made->set_tunnel_loop(*tunnel_loop);
    return made;
  }
};

TEST_F(LinkTest, WhatIsGivenInOneTurnCrossesTogetherAndInOrder) {
  std::vector<int> ran;
  link->to_tunnel([&] { ran.push_back(1); });
  link->to_tunnel([&] { ran.push_back(2); });
  caller_loop->poll();
  EXPECT_EQ(tunnel_loop->poll(), 1);
  EXPECT_THAT(ran, ElementsAre(1, 2));

  link->to_tunnel([&] { ran.push_back(3); });
  link->to_caller([&] { ran.push_back(4); });
  caller_loop->poll();
  tunnel_loop->poll();
  caller_loop->poll();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3, 4));
}

TEST_F(LinkTest, ALoopThatEndsBeforeTheCrossingKeepsNothing) {
  const std::weak_ptr<Link> watched = link;
  link->to_tunnel([held = link] { FAIL() << "ran after the loop's end"; });
  link->to_caller([held = link] { FAIL() << "ran after the loop's end"; });
  link.reset();
  EXPECT_FALSE(watched.expired());
  caller_loop.reset();
  tunnel_loop.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_F(LinkTest, ALoopThatEndsAfterTheCrossingKeepsNothing) {
  const std::weak_ptr<Link> watched = link;
  link->to_tunnel([held = link] { FAIL() << "ran after the loop's end"; });
  link.reset();
  caller_loop->poll();
  caller_loop.reset();
  EXPECT_FALSE(watched.expired());
  tunnel_loop.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace towline::tunnel
