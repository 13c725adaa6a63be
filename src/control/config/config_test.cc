#include <ostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/configuration_file.h"
#include "proto/agentcfg.pb.h"

namespace towline::control::config {
namespace {

using ::testing::HasSubstr;

TEST(Configuration, BlankIsTheDefault) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n", "{}", "user_access:\n", "~"}) {
    const auto parsed = parse_configuration(text);
    ASSERT_TRUE(parsed.has_value()) << text << parsed.error()[0].describe("f");
    EXPECT_EQ(parsed->file->ByteSizeLong(), 0U) << text;
    EXPECT_TRUE(parsed->warnings.empty());
  }
}

TEST(Configuration, ReadsEverySection) {
  const auto parsed = parse_configuration(R"(
observability:
  logging: {level: debug, grpc_level: warn}
flux:
  webhook_receiver_url: http://webhook-receiver.flux
user_access:
  access_as: {user: {}}
  projects: [{id: a/b}]
  groups:
    - id: "2024"
ci_access:
  projects:
    - id: a/b
      default_namespace: ns
      protected_branches_only: true
      environments: [prod, "review/*"]
      access_as:
        impersonate:
          username: deploy
          groups: [g1]
          uid: "7"
          extra: [{key: k, val: [v1, v2]}]
  groups:
    - id: a
      access_as: {ci_job: {}}
)");
  ASSERT_TRUE(parsed.has_value()) << parsed.error()[0].describe("f");
  const auto& file = *parsed->file;
  EXPECT_EQ(file.observability().logging().level(), gitlab::agent::agentcfg::debug);
  EXPECT_EQ(file.observability().logging().grpc_level(), gitlab::agent::agentcfg::warn);
  EXPECT_EQ(file.flux().webhook_receiver_url(), "http://webhook-receiver.flux");
  EXPECT_TRUE(file.user_access().access_as().has_user());
  EXPECT_EQ(file.user_access().projects(0).id(), "a/b");
  EXPECT_EQ(file.user_access().groups(0).id(), "2024");
  const auto& project = file.ci_access().projects(0);
  EXPECT_EQ(project.default_namespace(), "ns");
  EXPECT_TRUE(project.protected_branches_only());
  EXPECT_EQ(project.environments(1), "review/*");
  EXPECT_EQ(project.access_as().impersonate().extra(0).val(1), "v2");
  EXPECT_TRUE(file.ci_access().groups(0).access_as().has_ci_job());
}

TEST(Configuration, ABlankChoiceIsAChoice) {
  const auto parsed =
      parse_configuration("user_access:\n  access_as:\n    agent:\n  projects:\n  - id: a/b\n");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(parsed->file->user_access().access_as().has_agent());
}

TEST(Configuration, UnknownKeysAreWarnedOfByNameAndPlace) {
  const auto parsed = parse_configuration("flux:\n  webhook: x\nremote_development: {}\nfoo: [1, {a: b}]\n");
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->warnings.size(), 3U);
  EXPECT_EQ(parsed->warnings[0].describe("f"), "f:2:3: unknown key \"flux.webhook\"");
  EXPECT_THAT(parsed->warnings[1].describe("f"), HasSubstr("f:3:1: \"remote_development\" is not supported"));
  EXPECT_EQ(parsed->warnings[2].describe("f"), "f:4:1: unknown key \"foo\"");
}

struct FaultCase {
  const char* name;
  std::string text;
  const char* expected;
};
void PrintTo(const FaultCase& each, std::ostream* to) { *to << each.name; }
class FaultTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(FaultTest, IsNamedWithItsPlace) {
  const auto parsed = parse_configuration(GetParam().text);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().at(0).describe("f"), HasSubstr(GetParam().expected));
}

std::string entries(int count) {
  std::string text = "ci_access:\n  groups:\n";
  for (int i = 0; i < count; ++i) text += "  - id: g" + std::to_string(i) + "\n";
  return text;
}

std::string bomb() {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) text += (k ? ", *a" : "*a") + std::to_string(i - 1);
    text += "]\n";
  }
  return text;
}

// As UTF-32, with half a surrogate pair for each '?'.
std::string utf32(const std::string& ascii) {
  std::string text("\xff\xfe\0\0", 4);
  for (const char c : ascii)
    text += c == '?' ? std::string("\0\xd8\0\0", 4) : std::string(1, c) + std::string(3, '\0');
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    All, FaultTest,
    ::testing::Values(
        FaultCase{"NotUtf8", utf32("flux: {webhook_receiver_url: \"?\"}\n"), "is not UTF-8"},
        FaultCase{"NotAMap", "- a\n", "f:1:1: the file: must be a map, not a list"},
        FaultCase{"Scalar", "hello\n", "f:1:1: the file: must be a map, not a plain value"},
        FaultCase{"SectionIsList", "flux:\n  - a\n", "f:2:3: flux: must be a map, not a list"},
        FaultCase{"ListIsMap", "ci_access:\n  projects: {id: a}\n",
                  "f:2:13: ci_access.projects: must be a list"},
        FaultCase{"EntryIsText", "ci_access:\n  projects: [a/b]\n",
                  "f:2:14: ci_access.projects[0]: must be a map"},
        FaultCase{"NoId", "ci_access:\n  projects:\n  - default_namespace: x\n",
                  "f:3:5: ci_access.projects[0]: \"id\" is missing"},
        FaultCase{"NumberForText", "ci_access:\n  groups:\n  - id: 123\n",
                  "f:3:9: ci_access.groups[0].id: must be a text"},
        FaultCase{"BooleanForText", "flux: {webhook_receiver_url: true}\n",
                  "f:1:30: flux.webhook_receiver_url"},
        FaultCase{"TextForBoolean", "ci_access:\n  groups:\n  - id: a\n    protected_branches_only: maybe\n",
                  "f:4:30: ci_access.groups[0].protected_branches_only: must be true or false"},
        FaultCase{"Level", "observability:\n  logging:\n    level: loud\n",
                  "f:3:12: observability.logging.level: must be one of debug, info, warn, error"},
        FaultCase{"NoAccessAs", "user_access:\n  projects: []\n",
                  "f:2:3: user_access: \"access_as\" is missing"},
        FaultCase{"TwoChoices", "user_access:\n  access_as: {agent: {}, user: {}}\n",
                  "f:2:14: user_access.access_as: only one"},
        FaultCase{"NoUsername", "ci_access:\n  groups:\n  - id: a\n    access_as: {impersonate: {uid: x}}\n",
                  "\"username\" is missing"},
        FaultCase{"Syntax", "a: b\n  c: d\n", "f:2:4: "}, FaultCase{"Unclosed", "a: [1, 2\n", "f:2:1: "},
        FaultCase{"Tab", "a:\n\tb: c\n", "f:2:3: "},
        FaultCase{"TwiceTheKey", "flux: {}\nflux: {}\n", "f:2:1: key \"flux\" occurs twice"},
        FaultCase{"SecondDocument", "flux: {}\n---\nflux: {}\n", "a second document is not allowed"},
        FaultCase{"KeyIsList", "? [a]\n: b\n", "a key must be a plain word"},
        FaultCase{"UnknownAlias", "a: *b\n", "f:1:4: "},
        FaultCase{"AliasInItself", "a: &a [*a]\n", "f:1:8: an alias must not stand inside of what it names"},
        FaultCase{"AliasBomb", bomb(), "more than 50000 values"},
        FaultCase{"TooDeep", "a: " + std::string(100, '[') + std::string(100, ']'), "nested more than 32"},
        FaultCase{"VeryDeep", "a: " + std::string(60'000, '[') + std::string(60'000, ']'),
                  "nested more than 32"},
        FaultCase{"TooLarge", std::string(kMaxFileBytes + 1, '#'), "f: the file is larger than 128 KiB"},
        FaultCase{"TooManyEntries", entries(501), "f:3:3: ci_access.groups: more than 500 entries"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Configuration, TheLimitItselfIsAllowed) { EXPECT_TRUE(parse_configuration(entries(500)).has_value()); }

TEST(Configuration, GivesAllFaultsInOrder) {
  const auto parsed = parse_configuration("flux: 1\nci_access: 2\nuser_access: 3\n");
  ASSERT_FALSE(parsed.has_value());
  ASSERT_EQ(parsed.error().size(), 3U);
  EXPECT_EQ(parsed.error()[2].place.line, 3);
}

}  // namespace
}  // namespace towline::control::config
