#include "control/domain/branches.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::control {
namespace {

struct MatchCase {
  const char* pattern;
  const char* name;
  bool matches;
};
class MatchTest : public ::testing::TestWithParam<MatchCase> {};

TEST_P(MatchTest, StarsStandForAnyText) {
  EXPECT_EQ(branch_matches(GetParam().pattern, GetParam().name), GetParam().matches)
      << GetParam().pattern << " " << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(
    All, MatchTest,
    ::testing::Values(MatchCase{"main", "main", true}, MatchCase{"main", "mains", false},
                      MatchCase{"main", "mai", false}, MatchCase{"*", "", true}, MatchCase{"*", "x/y", true},
                      MatchCase{"release/*", "release/1", true}, MatchCase{"release/*", "release/", true},
                      MatchCase{"release/*", "release", false}, MatchCase{"*-stable", "1-2-stable", true},
                      MatchCase{"*-stable", "1-stable-2", false}, MatchCase{"a*b*c", "abc", true},
                      MatchCase{"a*b*c", "axbxbxc", true}, MatchCase{"a*b*c", "acb", false},
                      MatchCase{"**", "x", true}, MatchCase{"*ab", "aab", true}, MatchCase{"", "", true},
                      MatchCase{"", "x", false}, MatchCase{"a*", "b", false}, MatchCase{"*a*", "xay", true},
                      MatchCase{"main", "*", false}));

TEST(Branches, MatchingTakesNoLongerForManyStars) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "*a";
  pattern += "*b";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(branch_matches(pattern, std::string(255, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(200));
}

TEST(Branches, APatternIsABranchWithAFewStars) {
  EXPECT_TRUE(check_branch_pattern("release/*-x*").ok());
  EXPECT_TRUE(check_branch_pattern(std::string(kMaxStars, '*')).ok());
  EXPECT_THAT(check_branch_pattern(std::string(kMaxStars + 1, '*')).message(), ::testing::HasSubstr("\"*\""));
  for (const std::string bad : {"", "a..b", "-x", "a b", "a//b", "0123456789012345678901234567890123456789"})
    EXPECT_FALSE(check_branch_pattern(bad).ok()) << bad;
  EXPECT_FALSE(check_branch_pattern(std::string(256, 'a')).ok());
}

TEST(Branches, TheMostPermissiveRuleCounts) {
  const std::vector<ProtectedBranch> rules{{.name = "r*", .push_access_level = Role::kMaintainer},
                                           {.name = "*/1", .push_access_level = Role::kDeveloper},
                                           {.name = "frozen", .push_access_level = Role::kNone}};
  EXPECT_FALSE(branch_rights(rules, "r/2", Role::kDeveloper).push);
  EXPECT_TRUE(branch_rights(rules, "r/1", Role::kDeveloper).push);
  EXPECT_FALSE(branch_rights(rules, "r/1", Role::kDeveloper).force_push);
  EXPECT_FALSE(branch_rights(rules, "frozen", Role::kOwner).push);
  EXPECT_FALSE(branch_rights(rules, "free", Role::kDeveloper).is_protected);
  EXPECT_TRUE(branch_rights(rules, "free", Role::kDeveloper).force_push);
}

}  // namespace
}  // namespace towline::control
