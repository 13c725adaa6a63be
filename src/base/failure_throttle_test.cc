#include "base/failure_throttle.h"

#include <gtest/gtest.h>

#include "base/decimal.h"

namespace towline {
namespace {

TEST(FailureThrottle, CountsFailuresOfEachNameAndForgetsThemByAndBy) {
  FakeClock clock;
  FailureThrottle throttle(clock, {.per_minute = 10, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(throttle.failed("a"));
  EXPECT_TRUE(throttle.exhausted("a"));
  EXPECT_FALSE(throttle.failed("a"));
  EXPECT_FALSE(throttle.exhausted("b"));
  EXPECT_TRUE(throttle.failed("b"));
  clock.advance(std::chrono::seconds(throttle.retry_after()));
  EXPECT_FALSE(throttle.exhausted("a"));
}

TEST(FailureThrottle, AFloodOfNamesDoesNotFreeOneThatGoesOn) {
  FakeClock clock;
  FailureThrottle throttle(clock, {.per_minute = 10, .burst = 3});
  for (int i = 0; i < 4; ++i) throttle.failed("a");
  for (std::size_t i = 0; i < 2 * FailureThrottle::kMaxBuckets; ++i) throttle.failed("n" + std::to_string(i));
  EXPECT_TRUE(throttle.exhausted("a"));
}

TEST(AddressBlock, IsOneCustomers) {
  EXPECT_EQ(address_block("192.0.2.77:443"), "192.0.2.0/24");
  EXPECT_EQ(address_block("192.0.2.77:443", true), "192.0.2.77");
  EXPECT_EQ(address_block("[2001:db8:1:2ff:3::4]:443"), "2001:db8:1:200::/56");
  EXPECT_EQ(address_block("[2001:db8:1:2ff:3::4]:443", true), "2001:db8:1:2ff::/64");
  EXPECT_EQ(address_block("[::ffff:192.0.2.77]:443"), "192.0.2.0/24");
  EXPECT_EQ(address_block("unix:1"), "unix");
  EXPECT_EQ(address_block(""), "");
}

TEST(Decimal, AnIdHasOneForm) {
  EXPECT_EQ(parse_id("12"), 12);
  EXPECT_EQ(parse_id("9223372036854775807"), INT64_MAX);
  for (const char* text :
       {"", "0", "012", "+1", "-1", " 1", "1 ", "1.0", "0x1", "1a", "9223372036854775808"}) {
    EXPECT_EQ(parse_id(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace towline
