#include "control/domain/access.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "control/domain/configurations.h"
#include "control/store/agent_table.h"
#include "control/store/namespace_table.h"
#include "control/test_plane.h"
#include "proto/agentcfg.pb.h"

namespace towline::control {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kHead = "user_access:\n  access_as: {agent: {}}\n";

// An agent in the project acme/infra of a group.
class AccessTest : public PlaneTest {
 protected:
  AccessTest() {
    acme = make_group("acme");
    make_project_in("infra", acme);
    agent = make_agent("a");
  }

  std::int64_t make_group(const std::string& path, std::int64_t parent = 0, const std::string& by = "") {
    const std::string more = parent == 0 ? "" : R"(,"parent_id":)" + std::to_string(parent);
    return expect(201, "POST", "/groups", by.empty() ? root.token : by,
                  R"({"name":")" + path + R"(","path":")" + path + "\"" + more + "}")
        .at("id")
        .as_int64();
  }
  std::int64_t make_project_in(const std::string& name, std::int64_t group) {
    return make_project(name, root, R"(,"namespace_id":)" + std::to_string(group));
  }
  std::int64_t make_agent(const std::string& name) {
    return expect(201, "POST", kProject + "/cluster_agents", root.token, R"({"name":")" + name + "\"}")
        .at("id")
        .as_int64();
  }
  void configure(const std::string& text, const std::string& name = "a") {
    put_file("acme%2Finfra", "%2Egitlab%2Fagents%2F" + name + "%2Fconfig.yaml", text, root.token);
  }
  void list(const std::string& entries) { configure(kHead + entries); }
  void join(const std::string& place, const Person& who, int level) {
    expect(201, "POST", place + "/members", root.token,
           R"({"user_id":)" + std::to_string(who.id) + R"(,"access_level":)" + std::to_string(level) + "}");
  }
  Result<Access> access(const Person& person, Configurations& from) {
    auto caller = Accounts(core).authenticate(Secret(person.token));
    auto current = from.current(agent);
    if (!current) return fail(current.error());
    return db->read([&](soci::session& sql) { return authorize_person(sql, *caller, *current); });
  }
  bool may(const Person& person) { return access(person, configurations).has_value(); }
  /// Also after a restart.
  bool may_after_restart(const Person& person) {
    Configurations fresh(core);
    return access(person, fresh).has_value();
  }
  std::vector<std::string> warnings() {
    std::vector<std::string> all;
    const auto shown = expect(
        200, "GET", kProject + "/cluster_agents/" + std::to_string(agent) + "?with_status=true", root.token);
    for (const auto& each : shown.at("configuration").at("warnings").as_array()) {
      all.emplace_back(each.as_string());
    }
    return all;
  }

  const std::string kProject = "/projects/acme%2Finfra";
  std::int64_t acme = 0;
  std::int64_t agent = 0;
};

TEST_F(AccessTest, APathThatNamesNothingIsWarnedOfAndGivesNothingToWhoMakesIt) {
  const Person maker = add_user("maker");
  join("/groups/acme", maker, 40);
  const Person stranger = add_user("stranger");
  list("  groups:\n    - id: acme/platfrom\n  projects:\n    - id: platfrom/app\n");
  EXPECT_THAT(
      warnings(),
      ElementsAre(
          HasSubstr("config.yaml:4:11: user_access.groups[0].id: \"acme/platfrom\" is no group"),
          HasSubstr("config.yaml:6:11: user_access.projects[0].id: \"platfrom/app\" is not below \"acme\"")));
  EXPECT_THAT(lines, Contains(HasSubstr("config.yaml:4:11: user_access.groups[0].id")));
  make_group("platfrom", 0, stranger.token);
  make_group("platfrom", acme, maker.token);
  const Person lucky = add_user("lucky");
  join("/groups/acme%2Fplatfrom", lucky, 50);
  expect(201, "POST", "/projects", stranger.token,
         R"({"name":"app","namespace_id":)" +
             std::to_string(expect(200, "GET", "/groups/platfrom", stranger.token).at("id").as_int64()) +
             "}");
  for (const Person& each : {stranger, lucky}) {
    EXPECT_FALSE(may(each));
    EXPECT_FALSE(may_after_restart(each));
  }
  put_file("acme%2Finfra", "README", "a commit of something else", root.token);
  EXPECT_FALSE(may(lucky));
  list("  groups:\n    - id: acme/platfrom  # which is there now\n");
  EXPECT_THAT(warnings(), IsEmpty());
  EXPECT_TRUE(may(lucky));
  EXPECT_TRUE(may_after_restart(lucky));
}

TEST_F(AccessTest, WhatIsOfAnotherTenantGivesNothing) {
  const Person stranger = add_user("stranger");
  make_project("app", stranger);
  list("  projects:\n    - id: stranger/app\n");
  EXPECT_FALSE(may(stranger));
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("is not below \"acme\", where the agent's project is")));
}

TEST_F(AccessTest, APathThatWasDeletedAndMadeAgainGivesNothingAndARenamedOneStillDoes) {
  const auto app = make_project_in("app", acme);
  const Person dev = add_user("dev");
  join("/projects/acme%2Fapp", dev, 30);
  list("  projects:\n    - id: acme/app\n");
  EXPECT_TRUE(may(dev));
  expect(200, "PUT", "/projects/" + std::to_string(app), root.token, R"({"path":"other"})");
  EXPECT_TRUE(may(dev));
  EXPECT_TRUE(may_after_restart(dev));
  expect(202, "DELETE", "/projects/" + std::to_string(app), root.token);
  EXPECT_FALSE(may(dev));
  for (const char* name : {"app", "other"}) {
    make_project_in(name, acme);
    join(std::string("/projects/acme%2F") + name, dev, 30);
  }
  EXPECT_FALSE(may(dev));
  EXPECT_FALSE(may_after_restart(dev));
}

TEST_F(AccessTest, WhatAnOlderProgramStoredIsLookedUpOnce) {
  make_project_in("app", acme);
  const Person dev = add_user("dev");
  join("/projects/acme%2Fapp", dev, 30);
  list("  projects:\n    - id: acme/app\n    - id: acme/later\n");
  ASSERT_TRUE(db->write([&](soci::session& sql) {
                  auto row = *AgentTable(sql).configuration(agent);
                  row.resolved = false;
                  row.warnings.clear();
                  AgentTable(sql).save_configuration(row);
                  AgentAccessTable(sql).replace(agent, row.commit_id, {});
                }).ok());
  EXPECT_TRUE(may_after_restart(dev));
  EXPECT_THAT(warnings(), SizeIs(1));
  const Person late = add_user("late");
  make_project_in("later", acme);
  join("/projects/acme%2Flater", late, 30);
  EXPECT_FALSE(may_after_restart(late));
}

TEST_F(AccessTest, ABrokenFileLeavesTheRulesOfTheLastGoodOne) {
  const auto app = make_project_in("app", acme);
  const Person dev = add_user("dev");
  join("/projects/" + std::to_string(app), dev, 30);
  list("  projects:\n    - id: acme/app\n    - id: acme/nothing\n");
  EXPECT_THAT(warnings(), SizeIs(1));
  list("  projects: 7\n");
  EXPECT_TRUE(may(dev));
  EXPECT_TRUE(may_after_restart(dev));
  EXPECT_THAT(warnings(), IsEmpty());  // its lines are another file's
}

TEST_F(AccessTest, InAListedGroupARoleInAnythingBelowCounts) {
  const auto team = make_group("team", acme);
  const auto app = make_project_in("app", team);
  configure("user_access:\n  access_as: {user: {}}\n  groups:\n    - id: acme\n");
  const Person above = add_user("above");
  const Person within = add_user("within");
  const Person below = add_user("below");
  const Person low = add_user("low");
  const Person elsewhere = add_user("elsewhere");
  make_group("other");
  join("/groups/acme", above, 30);
  join("/groups/acme%2Fteam", within, 30);
  join("/projects/" + std::to_string(app), below, 40);
  join("/projects/" + std::to_string(app), low, 20);
  join("/groups/other", elsewhere, 50);
  EXPECT_TRUE(may(above));
  EXPECT_TRUE(may(within));
  EXPECT_FALSE(may(low));
  EXPECT_FALSE(may(elsewhere));
  const auto granted = access(below, configurations);
  ASSERT_TRUE(granted.has_value());
  // He is seen as what he is, not as one of the whole group.
  const std::string p = "gitlab:project_role:" + std::to_string(app) + ":";
  EXPECT_THAT(granted->as->groups,
              ElementsAre("gitlab:user", p + "guest", p + "reporter", p + "developer", p + "maintainer"));
}

TEST_F(AccessTest, EntriesThatGiveNothingSayWhy) {
  make_project_in("app", acme);
  list(
      "  projects:\n    - id: /acme/app/\n    - id: acme/app.git\n    - id: acme\n    - id: acme/none\n"
      "    - id: acme/app\n    - id: Acme/App\n");
  EXPECT_THAT(warnings(),
              ElementsAre(HasSubstr("is listed already, in line 8"), HasSubstr("write \"acme/app\""),
                          HasSubstr("write \"acme/app\""), HasSubstr("list it below \"groups\""),
                          HasSubstr("is no project that exists")));
}

TEST_F(AccessTest, AFileThatNeverWasValidIsNamedToThoseWhoMayReadIt) {
  const Person guest = add_user("guest");
  const Person dev = add_user("dev");
  join(kProject, guest, 10);
  join(kProject, dev, 30);
  configure("user_access: [secret\n");
  EXPECT_THAT(access(dev, configurations).error().message(), HasSubstr("config.yaml:2:1"));
  EXPECT_THAT(access(guest, configurations).error().message(), Not(HasSubstr("config.yaml:2:1")));
}

TEST_F(AccessTest, OneFileThatIsNoTextBreaksNothingElse) {
  const Person dev = add_user("dev");
  join(kProject, dev, 30);
  list("  projects:\n    - id: acme/infra\n");
  make_agent("b");
  for (const std::string& bytes :
       {std::string("#\0\n", 3), std::string("user_access: {\"a\\0\": 1}\n"), std::string("flux: \"\\0\"\n"),
        "flux: {webhook_receiver_url: " + std::string(99, 'e') + "\xc3\xa9: 1}\n",
        std::string("\"\\0\": 1\n")}) {
    configure(bytes);
    const auto listed =
        expect(200, "GET", kProject + "/cluster_agents?with_status=true", root.token).as_array();
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_TRUE(may_after_restart(dev) || bytes.starts_with("\"")) << bytes;
  }
}

TEST_F(AccessTest, FilesThatWereMeantToBeTheConfigurationArePointedOut) {
  put_file("acme%2Finfra", "%2Egitlab%2Fagents%2FA%2Fconfig.yaml", "", root.token);
  put_file("acme%2Finfra", "%2Egitlab%2Fagents%2Fa%2Fconfig.yml", "", root.token);
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("agents/A/config.yaml is not looked at"),
                                      HasSubstr("agents/a/config.yml is not looked at")));
  const auto files = expect(200, "GET", kProject + "/cluster_agents/configurations", root.token).as_array();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_THAT(std::string(files[0].at("warning").as_string()), HasSubstr("upper-case"));
  EXPECT_THAT(std::string(files[1].at("warning").as_string()), HasSubstr("must be config.yaml"));
}

}  // namespace
}  // namespace towline::control
