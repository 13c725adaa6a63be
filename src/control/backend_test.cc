#include "control/backend.h"

#include <future>
#include <utility>

#include <gmock/gmock.h>

#include "control/local_backend.h"
#include "control/store/agent_table.h"
#include "control/test_plane.h"
#include "io/fair_pool.h"
#include "io/loop.h"
#include "proto/agentcfg.pb.h"

namespace towline::control {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class BackendTest : public PlaneTest {
 protected:
  BackendTest() {
    project = make_project("demo", root);
    agent = expect(201, "POST", "/projects/root%2Fdemo/cluster_agents", root.token, R"({"name":"a"})")
                .at("id")
                .as_int64();
  }

  // Waits for the answer of one asynchronous call.
  template <typename T, typename Call>
  Result<T> wait(Call call) {
    std::promise<Result<T>> answered;
    call([&](Result<T> result) { answered.set_value(std::move(result)); });
    return answered.get_future().get();
  }
  Result<AuthenticatedAgent> by_token(const std::string& token) {
    return wait<AuthenticatedAgent>(
        [&](auto answer) { backend.agent_by_token(loops.at(0), Secret(token), std::move(answer)); });
  }
  Result<AgentConfiguration> configuration() {
    return wait<AgentConfiguration>(
        [&](auto answer) { backend.agent_configuration(loops.at(0), agent, std::move(answer)); });
  }
  Result<Access> access(const std::string& token, std::int64_t agent_id) {
    return wait<Access>([&](auto answer) {
      backend.access_by_token(loops.at(0), agent_id, Secret(token), std::move(answer));
    });
  }
  Result<Access> access(const Person& person) { return access(person.token, agent); }
  Code code_of(const Person& person) {
    const auto result = access(person);
    return result ? Code::kOk : result.error().code();
  }

  void configure(const std::string& text) {
    put_file("root%2Fdemo", "%2Egitlab%2Fagents%2Fa%2Fconfig.yaml", text, root.token);
  }
  void add_member(const std::string& place, const Person& who, int level) {
    expect(201, "POST", place + "/members", root.token,
           R"({"user_id":)" + std::to_string(who.id) + R"(,"access_level":)" + std::to_string(level) + "}");
  }
  std::pair<std::int64_t, std::string> make_agent_token() {
    const auto made =
        expect(201, "POST", "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent) + "/tokens",
               root.token, R"({"name":"t"})");
    return {made.at("id").as_int64(), std::string(made.at("token").as_string())};
  }

  io::LoopGroup loops{1, clock};
  io::FairPool door{1};
  io::FairPool pool{2};
  LocalBackend backend{core, door, pool};
  std::int64_t project = 0;
  std::int64_t agent = 0;
};

TEST_F(BackendTest, AnAgentIsKnownByItsTokenUntilThatIsRevoked) {
  const auto [id, token] = make_agent_token();
  const auto known = by_token(token);
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->agent.id, agent);
  EXPECT_EQ(known->agent.project_path, "root/demo");
  EXPECT_EQ(known->token_id, id);
  EXPECT_EQ(by_token(root.token).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(by_token("").error().code(), Code::kUnauthenticated);
  expect(204, "DELETE",
         "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent) + "/tokens/" + std::to_string(id),
         root.token);
  EXPECT_EQ(by_token(token).error().code(), Code::kUnauthenticated);
}

TEST_F(BackendTest, WhoComesIsKnownWhileOthersHoldAllThreads) {
  configure("user_access:\n  access_as: {agent: {}}\n  projects: [{id: root/demo}]\n");
  const auto [id, token] = make_agent_token();
  EXPECT_TRUE(configuration().has_value());  // it is in memory from now on
  EXPECT_TRUE(access(root).has_value());
  std::promise<void> open;
  const std::shared_future<void> opened = open.get_future().share();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(pool.submit(
                        loops.at(0), io::Caller::user(i), [opened] { opened.wait(); }, [] {})
                    .ok());
  }
  EXPECT_TRUE(by_token(token).has_value());
  EXPECT_TRUE(access(root).has_value());
  EXPECT_TRUE(configuration().has_value());
  open.set_value();
}

TEST_F(BackendTest, TokensThatEndedElsewhereAreToldHere) {
  const auto [kept, kept_token] = make_agent_token();
  const auto [ended, ended_token] = make_agent_token();
  std::vector<std::int64_t> told;
  const auto subscription = backend.subscribe([&](const Event& event) {
    if (const auto* revoked = std::get_if<AgentTokenRevoked>(&event)) told.push_back(revoked->token_id);
  });
  const std::vector<AgentTokenInUse> used = {{agent, kept}, {agent, ended}, {agent, 4711}};
  ASSERT_TRUE(core.db
                  .write([&, id = ended](soci::session& sql) {
                    return AgentTokenTable(sql).revoke(id, 1) ? Status() : Status(Code::kNotFound, "");
                  })
                  .ok());
  const auto count = wait<std::size_t>(
      [&](auto answer) { backend.check_agent_tokens(loops.at(0), used, std::move(answer)); });
  EXPECT_EQ(count.value(), 2U);
  EXPECT_THAT(told, ElementsAre(ended, 4711));
}

TEST_F(BackendTest, WithoutAFileTheConfigurationIsTheDefault) {
  const auto empty = configuration();
  ASSERT_TRUE(empty.has_value()) << empty.error().to_string();
  EXPECT_EQ(empty->commit_id, std::string(40, '0'));
  EXPECT_EQ(empty->file->ByteSizeLong(), 0U);
  put_file("root%2Fdemo", "README", "x", root.token);
  EXPECT_NE(configuration()->commit_id, std::string(40, '0'));
}

TEST_F(BackendTest, ThePushedConfigurationIsInForceAndUnrelatedCommitsChangeNothing) {
  configure("observability: {logging: {level: debug}}\n");
  const auto first = configuration();
  EXPECT_EQ(first->file->observability().logging().level(), gitlab::agent::agentcfg::debug);
  put_file("root%2Fdemo", "README", "x", root.token);
  EXPECT_EQ(configuration()->commit_id, first->commit_id);
  configure("observability: {logging: {level: warn}}\n");
  EXPECT_NE(configuration()->commit_id, first->commit_id);
}

TEST_F(BackendTest, ABrokenFileLeavesTheLastGoodOneInForceEvenAfterARestart) {
  configure("observability: {logging: {level: debug}}\n");
  const auto good = configuration();
  configure("observability:\n  logging:\n    level: loud\n");
  for (int start = 0; start < 2; ++start) {
    Configurations fresh(core);
    const auto current = (start == 0 ? configurations : fresh).current(agent);
    ASSERT_TRUE(current.has_value());
    const AgentConfiguration* const now = &current->configuration;
    EXPECT_EQ(now->commit_id, good->commit_id);
    EXPECT_EQ(now->file->observability().logging().level(), gitlab::agent::agentcfg::debug);
  }
  EXPECT_THAT(lines, Contains(HasSubstr(".gitlab/agents/a/config.yaml:3:12: observability.logging.level")));
  configure("observability: {logging: {level: error}}\n");
  EXPECT_EQ(configuration()->file->observability().logging().level(), gitlab::agent::agentcfg::error);
}

TEST_F(BackendTest, ABrokenFirstFileMeansTheDefault) {
  configure("[");
  const auto now = configuration();
  ASSERT_TRUE(now.has_value());
  EXPECT_EQ(now->file->ByteSizeLong(), 0U);
  EXPECT_FALSE(now->commit_id.empty());
}

TEST_F(BackendTest, UnknownKeysAreWarnedOf) {
  configure("obsrvability: {}\n");
  ASSERT_TRUE(configuration().has_value());
  EXPECT_THAT(lines,
              Contains(HasSubstr(
                  "config.yaml:1:1: unknown key \\\"obsrvability\\\"; did you mean \\\"observability\\\"?")));
}

TEST_F(BackendTest, UserAccessDecidesWhoMayAndSaysWhatIsMissing) {
  const Person dev = add_user("dev");
  const Person reporter = add_user("reporter");
  add_member("/projects/root%2Fdemo", dev, 30);
  add_member("/projects/root%2Fdemo", reporter, 20);
  EXPECT_THAT(access(dev).error().message(), HasSubstr("no user_access section"));
  configure("user_access:\n  access_as: {agent: {}}\n  projects: [{id: Root/DEMO}]\n");
  const auto allowed = access(dev);
  ASSERT_TRUE(allowed.has_value()) << allowed.error().to_string();
  EXPECT_EQ(allowed->username, "dev");
  EXPECT_EQ(allowed->agent.name, "a");
  EXPECT_FALSE(allowed->as.has_value());
  EXPECT_EQ(access(reporter).error().code(), Code::kPermissionDenied);
  EXPECT_THAT(access(reporter).error().message(), HasSubstr("at least the developer role"));
  EXPECT_EQ(code_of(root), Code::kOk);
}

TEST_F(BackendTest, TheConfigurationProjectCountsOnlyWhenListed) {
  const Person dev = add_user("dev");
  add_member("/projects/root%2Fdemo", dev, 40);
  configure("user_access:\n  access_as: {agent: {}}\n  projects: [{id: root/other}]\n");
  EXPECT_EQ(code_of(dev), Code::kPermissionDenied);
}

TEST_F(BackendTest, AStrangerCannotTellAnAgentFromNone) {
  const Person stranger = add_user("stranger");
  configure("user_access:\n  access_as: {agent: {}}\n  projects: [{id: root/demo}]\n");
  const auto existing = access(stranger.token, agent);
  const auto missing = access(stranger.token, agent + 1);
  ASSERT_FALSE(existing.has_value());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(existing.error().code(), missing.error().code());
  const auto without_number = [](std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
  };
  EXPECT_EQ(without_number(existing.error().message()), without_number(missing.error().message()));
}

TEST_F(BackendTest, CredentialsAreCheckedFirst) {
  configure("user_access:\n  access_as: {agent: {}}\n  projects: [{id: root/demo}]\n");
  EXPECT_EQ(access("glpat-wrong", agent).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(access("", agent).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(access(add_token(root.id, {"read_api"}), agent).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(access(add_token(root.id, {"k8s_proxy"}), agent).has_value());
}

TEST_F(BackendTest, APersonIsImpersonatedWithAllRolesUpToHis) {
  const Person dev = add_user("dev");
  const auto group =
      expect(201, "POST", "/groups", root.token, R"({"name":"g","path":"g"})").at("id").as_int64();
  const auto sub = expect(201, "POST", "/groups", root.token,
                          R"({"name":"s","path":"s","parent_id":)" + std::to_string(group) + "}")
                       .at("id")
                       .as_int64();
  project = make_project("demo", root, R"(,"namespace_id":)" + std::to_string(group));
  agent = expect(201, "POST", "/projects/g%2Fdemo/cluster_agents", root.token, R"({"name":"a"})")
              .at("id")
              .as_int64();
  add_member("/groups/g%2Fs", dev, 30);
  add_member("/projects/g%2Fdemo", dev, 20);
  put_file("g%2Fdemo", "%2Egitlab%2Fagents%2Fa%2Fconfig.yaml",
           "user_access:\n  access_as: {user: {}}\n  projects: [{id: g/demo}]\n  groups: [{id: G/S}, {id: "
           "g/s}]\n",
           root.token);
  const auto allowed = access(dev);
  ASSERT_TRUE(allowed.has_value()) << allowed.error().to_string();
  ASSERT_TRUE(allowed->as.has_value());
  EXPECT_EQ(allowed->as->username, "gitlab:user:dev");
  const std::string p = "gitlab:project_role:" + std::to_string(project) + ":";
  const std::string g = "gitlab:group_role:" + std::to_string(sub) + ":";
  EXPECT_THAT(allowed->as->groups, ElementsAre("gitlab:user", p + "guest", p + "reporter", g + "guest",
                                               g + "reporter", g + "developer"));
  const auto id = [](std::int64_t n) { return std::vector<std::string>{std::to_string(n)}; };
  EXPECT_THAT(
      allowed->as->extra,
      ElementsAre(Pair("agent.gitlab.com/id", id(agent)),
                  Pair("agent.gitlab.com/username", std::vector<std::string>{"dev"}),
                  Pair("agent.gitlab.com/config_project_id", id(project)),
                  Pair("agent.gitlab.com/access_type", std::vector<std::string>{"personal_access_token"})));
}

TEST_F(BackendTest, EveryChangeThatMayAlterRightsShowsInTheGeneration) {
  const Person dev = add_user("dev");
  auto last = backend.access_generation();
  const auto grew = [&] {
    return std::exchange(last, backend.access_generation()) < backend.access_generation();
  };
  EXPECT_FALSE(grew());
  configure("user_access:\n  access_as: {agent: {}}\n  projects: [{id: root/demo}]\n");
  EXPECT_TRUE(grew());
  EXPECT_EQ(code_of(dev), Code::kPermissionDenied);
  EXPECT_FALSE(grew());
  add_member("/projects/root%2Fdemo", dev, 30);
  EXPECT_TRUE(grew());
  EXPECT_EQ(code_of(dev), Code::kOk);
  usage.flush();
  EXPECT_FALSE(grew());
  expect(200, "PUT", "/projects/root%2Fdemo/members/" + std::to_string(dev.id), root.token,
         R"({"access_level":20})");
  EXPECT_TRUE(grew());
  EXPECT_EQ(code_of(dev), Code::kPermissionDenied);
  expect(204, "DELETE", "/projects/root%2Fdemo/members/" + std::to_string(dev.id), root.token);
  EXPECT_TRUE(grew());
  EXPECT_EQ(code_of(dev), Code::kPermissionDenied);
  expect(201, "POST", "/users/" + std::to_string(dev.id) + "/block", root.token);
  EXPECT_TRUE(grew());
  EXPECT_EQ(code_of(dev), Code::kUnauthenticated);
  configure("user_access:\n  access_as: {agent: {}}\n");
  EXPECT_TRUE(grew());
  EXPECT_EQ(code_of(root), Code::kPermissionDenied);
  EXPECT_FALSE(grew());
  expect(204, "DELETE", "/personal_access_tokens/self", root.token);
  EXPECT_TRUE(grew());
}

TEST_F(BackendTest, EventsTellOfPushesAndRevocations) {
  std::vector<std::string> seen;
  auto subscription = backend.subscribe([&](const Event& event) {
    std::visit(
        [&](const auto& each) {
          using T = std::decay_t<decltype(each)>;
          if constexpr (std::is_same_v<T, ConfigurationChanged>)
            seen.push_back("config " + std::to_string(each.project_id));
          if constexpr (std::is_same_v<T, AgentTokenRevoked>)
            seen.push_back("revoked " + std::to_string(each.token_id));
          if constexpr (std::is_same_v<T, Pushed>)
            seen.push_back("pushed " + each.project_path + " " + each.ref);
        },
        event);
  });
  put_file("root%2Fdemo", "README", "x", root.token);
  EXPECT_THAT(seen, ElementsAre("pushed root/demo refs/heads/main", "config " + std::to_string(project)));
  seen.clear();
  expect(201, "POST", "/projects/root%2Fdemo/repository/branches?branch=other&ref=main", root.token);
  EXPECT_THAT(seen, ElementsAre("pushed root/demo refs/heads/other"));
  seen.clear();
  const auto [first, first_token] = make_agent_token();
  const auto [second, second_token] = make_agent_token();
  expect(204, "DELETE",
         "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent) + "/tokens/" + std::to_string(first),
         root.token);
  EXPECT_THAT(seen, ElementsAre("revoked " + std::to_string(first)));
  seen.clear();
  expect(202, "DELETE", "/projects/root%2Fdemo", root.token);
  EXPECT_THAT(seen, ElementsAre("revoked " + std::to_string(second)));
  seen.clear();
  subscription.reset();
  make_project("another", root, R"(,"initialize_with_readme":true)");
  EXPECT_TRUE(seen.empty());
}

TEST_F(BackendTest, LastContactAndVersionAreKept) {
  using Time = std::optional<std::chrono::system_clock::time_point>;
  const auto last_seen = [&](std::int64_t id) {
    return wait<Time>([&](auto answer) { backend.agent_last_seen(loops.at(0), id, std::move(answer)); });
  };
  EXPECT_EQ(last_seen(agent).value(), std::nullopt);
  EXPECT_EQ(last_seen(agent + 1).error().code(), Code::kNotFound);
  const auto [id, token] = make_agent_token();
  backend.agent_seen({.agent_id = agent, .token_id = id, .connection_id = 7, .version = "17.0.0"});
  backend.agent_seen({.agent_id = agent + 1, .token_id = 999, .connection_id = 8});  // deleted meanwhile
  usage.flush();
  EXPECT_EQ(last_seen(agent).value(), clock.wall());
  const auto shown = expect(
      200, "GET",
      "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent) + "/tokens/" + std::to_string(id),
      root.token);
  EXPECT_EQ(shown.at("last_used_at"), "2024-10-04T00:00:00.000Z");
}

TEST_F(BackendTest, AnswersComeOnTheLoopAndNeverFromInsideTheCall) {
  std::promise<std::pair<bool, bool>> answered;
  auto inside = std::make_shared<bool>(true);
  loops.at(0).post([&, inside] {
    backend.agent_by_token(loops.at(0), Secret("x"), [&, inside](Result<AuthenticatedAgent>) {
      answered.set_value({loops.at(0).on_loop(), *inside});
    });
    *inside = false;
  });
  EXPECT_EQ(answered.get_future().get(), std::pair(true, false));
}

}  // namespace
}  // namespace towline::control
