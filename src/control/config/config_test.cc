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
  ASSERT_EQ(parsed->warnings.size(), 4U);
  EXPECT_EQ(parsed->warnings[0].describe("f"), "f:2:3: unknown key \"flux.webhook\"");
  EXPECT_THAT(parsed->warnings[1].describe("f"), HasSubstr("f:3:1: \"remote_development\" is not supported"));
  EXPECT_EQ(parsed->warnings[2].describe("f"), "f:4:1: unknown key \"foo\"");
  EXPECT_THAT(parsed->warnings[3].describe("f"), HasSubstr("f:1:1: \"flux\" has no effect yet"));
}

TEST(Configuration, WarningsSayWhatHasNoEffect) {
  const auto warned = [](const std::string& text) {
    const auto parsed = parse_configuration(text);
    std::string all;
    if (!parsed) return "fault: " + parsed.error()[0].message;
    for (const Fault& each : parsed->warnings) all += each.describe("f") + "\n";
    return all;
  };
  const std::string ci = "ci_access:\n  projects:\n  - id: a/b\n";
  EXPECT_THAT(warned(ci), HasSubstr("f:1:1: \"ci_access\" has no effect yet"));
  EXPECT_THAT(warned("flux: {webhook_receiver_url: x}\n"), HasSubstr("f:1:1: \"flux\" has no effect yet"));
  EXPECT_THAT(
      warned(ci + "    resource_management: {enabled: true}\n"),
      HasSubstr("f:4:5: \"ci_access.projects[0].resource_management\" is not supported by this server"));
  EXPECT_THAT(warned("starboard: {}\n"), HasSubstr("\"starboard\" is not supported by this server"));
  EXPECT_THAT(warned(ci + "    default-namespace: x\n"), HasSubstr("did you mean \"default_namespace\"?"));
  EXPECT_THAT(warned(ci + "  - id: A/B\n"),
              HasSubstr("f:4:9: ci_access.projects[1].id: \"A/B\" is listed already, in line 3"));
  EXPECT_THAT(warned("user_access: {access_as: {agent: {}}}\n"),
              HasSubstr("lists no projects and no groups"));
  EXPECT_THAT(
      warned(ci + "    access_as: {impersonate: {username: u, extra: [{key: Team.io/X, val: [y]}]}}\n"),
      HasSubstr("Kubernetes makes \"team.io/x\" of it"));
}

TEST(Configuration, MergeKeysBringWhatTheMapDoesNotHave) {
  const auto parsed = parse_configuration(R"(
a: &a {access_as: {agent: {}}, projects: [{id: a/a}]}
b: &b {access_as: {user: {}}, groups: [{id: b}]}
user_access:
  <<: [*a, *b]
  projects: [{id: own/one}]
)");
  ASSERT_TRUE(parsed.has_value()) << parsed.error()[0].describe("f");
  EXPECT_TRUE(parsed->file->user_access().access_as().has_agent());
  ASSERT_EQ(parsed->file->user_access().projects_size(), 1);
  EXPECT_EQ(parsed->file->user_access().projects(0).id(), "own/one");
  EXPECT_EQ(parsed->file->user_access().groups(0).id(), "b");
}

TEST(Configuration, AMarkBeforeTheTextAndQuotesOfEveryKindAreTaken) {
  const std::string text =
      "\xef\xbb\xbf\"flux\":\r\n  'webhook_receiver_url': !!str &x \"a\\\"'\\\\\"  # \"\r\n";
  const auto parsed = parse_configuration(text);
  ASSERT_TRUE(parsed.has_value()) << parsed.error()[0].describe("f");
  EXPECT_EQ(parsed->file->flux().webhook_receiver_url(), "a\"'\\");
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
        FaultCase{"Utf16", std::string("a\0:\0 \0b\0", 8), "f:1:1: the file is not UTF-8 but UTF-16"},
        FaultCase{"Nul", std::string("a: b\n# \0\n", 9), "f:2:3: the control character U+0000"},
        FaultCase{"Bell", "a: \x07\n", "f:1:4: the control character U+0007"},
        FaultCase{"C1", "# \xc2\x9b\n", "f:1:3: the control character U+009B"},
        FaultCase{"Latin1", "a: b # caf\xe9\n", "f:1:11: the file is not UTF-8: the byte 0xe9"},
        FaultCase{"EscapedNul", "flux: {webhook_receiver_url: \"a\\0\"}\n", "control character U+0000"},
        FaultCase{"QuoteNotClosed", "flux:\n  webhook_receiver_url: \"x\nuser_access:\n",
                  "f:2:25: the quote"},
        FaultCase{"SingleQuoteNotClosed", "flux:\n  webhook_receiver_url: 'x''\n", "f:2:25: the quote"},
        FaultCase{"QuoteOfAKeyNotClosed", "\"flux: x\n", "f:1:1: "},
        FaultCase{"QuoteBehindAnchorNotClosed", "flux: {webhook_receiver_url: &a !!str \"x\\\"\n",
                  "f:1:30: the quote"},
        FaultCase{"MarkerInAQuote", "flux: {webhook_receiver_url: \"x\n---\ny\"}\n", "f:2:1: "},
        FaultCase{"MarkerInAList", "a: [b,\n---\nc]\n", "f:2:1: "},
        FaultCase{"ClosedTwice", "a: [b]]\n", "f:1:7: "}, FaultCase{"ClosedByAnother", "a: [b}\n", "f:1:6: "},
        FaultCase{"TextBehindAQuote", "a: \"b\" c\n", "f:1:8: "},
        FaultCase{"TextBehindTheEnd", "a: b\n...\nc: d\n", "a second document"},
        FaultCase{"DirectiveWithin", "a: b\n%c: d\n", "f:2:1: a line of the document must not begin with"},
        FaultCase{"MergeOfAText", "a: {<<: b}\n", "f:1:9: \"<<\" takes a map or a list of maps"},
        FaultCase{"MergeTwice", "x: &x {}\na: {<<: *x, <<: *x}\n", "key \"<<\" occurs twice"},
        FaultCase{"UnknownAccess", "ci_access:\n  groups:\n  - id: a\n    access_as: {ci_jobs: {}}\n",
                  "f:4:17: unknown kind of access \"ci_access.groups[0].access_as.ci_jobs\"; did you mean "
                  "\"ci_job\"?"},
        FaultCase{"UnsupportedAccess", "ci_access:\n  groups:\n  - id: a\n    access_as: {ci_user: {}}\n",
                  "f:4:17: \"ci_access.groups[0].access_as.ci_user\" is not supported by this server"},
        FaultCase{"UnknownUserAccess", "user_access:\n  access_as: {usr: {}}\n",
                  "f:2:15: unknown kind of access \"user_access.access_as.usr\"; did you mean \"user\"?"},
        FaultCase{"BlankAccess", "ci_access:\n  groups:\n  - id: a\n    access_as:\n",
                  "ci_access.groups[0].access_as: must be a map with one of agent or ci_job or impersonate"},
        FaultCase{"AccessBesideId", "ci_access:\n  groups:\n  - id: a\n    ci_job: {}\n",
                  "f:4:5: \"ci_access.groups[0].ci_job\" belongs below \"access_as\""},
        FaultCase{"ValuesOfAgent", "user_access:\n  access_as: {agent: {namespace: x}}\n",
                  "user_access.access_as.agent: takes no values"},
        FaultCase{"MisspeltEnvironments", "ci_access:\n  groups:\n  - id: a\n    enviroments: [prod]\n",
                  "f:4:5: unknown key \"ci_access.groups[0].enviroments\"; did you mean \"environments\"?"},
        FaultCase{"MisspeltProtection",
                  "ci_access:\n  groups:\n  - id: a\n    Protected-Branches-Only: true\n",
                  "did you mean \"protected_branches_only\"?"},
        FaultCase{"MisspeltAccessAs", "ci_access:\n  groups:\n  - id: a\n    acces_as: {ci_job: {}}\n",
                  "did you mean \"access_as\"?"},
        FaultCase{"NoEnvironments", "ci_access:\n  groups:\n  - id: a\n    environments:\n",
                  "ci_access.groups[0].environments: lists nothing"},
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
