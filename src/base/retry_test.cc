#include "base/retry.h"

#include <gtest/gtest.h>

namespace towline {
namespace {

using std::chrono::milliseconds;

TEST(Retry, EndsAfterItsCountWithPausesThatGrow) {
  Retry retry({.repeats = 3, .pause = milliseconds(20)});
  EXPECT_EQ(retry.next(Attempt::kNotProcessed, false), milliseconds(0));
  EXPECT_EQ(retry.next(Attempt::kNotProcessed, false), milliseconds(20));
  EXPECT_EQ(retry.next(Attempt::kNotProcessed, false), milliseconds(40));
  EXPECT_EQ(retry.next(Attempt::kNotProcessed, true), std::nullopt);
}

TEST(Retry, RepeatsWhatMayHaveBeenCarriedOutOnlyWhereThatDoesNoHarm) {
  Retry retry({});
  EXPECT_EQ(retry.next(Attempt::kUnanswered, false), std::nullopt);
  EXPECT_EQ(retry.next(Attempt::kFinal, true), std::nullopt);
  EXPECT_EQ(retry.next(Attempt::kUnanswered, true), milliseconds(0));
}

}  // namespace
}  // namespace towline
