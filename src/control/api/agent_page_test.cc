#include <gmock/gmock.h>

#include "control/domain/agent_status.h"
#include "control/store/agent_event_table.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AgentPageTest : public PlaneTest {
 protected:
  AgentPageTest() {
    make_project("demo", root);
    id = expect(201, "POST", kAgents, root.token, R"({"name":"a"})").at("id").as_int64();
  }
  boost::json::value agent() {
    return expect(200, "GET", kAgents + "/" + std::to_string(id) + "?with_status=true", root.token);
  }
  std::vector<std::string> activity() {
    const auto listed =
        expect(200, "GET", kAgents + "/" + std::to_string(id) + "/activity", root.token).as_array();
    std::vector<std::string> kinds;
    for (const auto& event : listed) {
      kinds.push_back(std::string(event.at("kind").as_string()));
    }
    return kinds;
  }
  void connect(std::int64_t connection, const std::string& version) {
    usage.agent_seen({.agent_id = id,
                      .connection_id = connection,
                      .version = version,
                      .pod_namespace = "ns",
                      .pod_name = "pod-" + std::to_string(connection)});
    usage.flush();
  }
  void leave(std::int64_t connection) {
    usage.agent_gone(id, connection);
    usage.flush();
  }

  const std::string kAgents = "/projects/root%2Fdemo/cluster_agents";
  std::int64_t id = 0;
};

TEST_F(AgentPageTest, TheStateFollowsTheConnections) {
  EXPECT_EQ(agent().at("status").at("state"), "never_connected");
  connect(1, "v17.0.0");
  EXPECT_EQ(agent().at("status").at("state"), "connected");
  const auto pods =
      expect(200, "GET", kAgents + "/" + std::to_string(id) + "/connections", root.token).as_array();
  ASSERT_EQ(pods.size(), 1U);
  EXPECT_EQ(pods[0].at("pod_name"), "pod-1");
  EXPECT_EQ(pods[0].at("version"), "v17.0.0");
  leave(1);
  EXPECT_EQ(agent().at("status").at("state"), "disconnected");
  EXPECT_EQ(agent().at("status").at("versions").as_array()[0], "v17.0.0");
  EXPECT_EQ(agent().at("status").at("last_contact_at"), "2024-10-04T00:00:00.000Z");
}

TEST_F(AgentPageTest, AConnectionOfAServerThatDiedIsForgotten) {
  connect(1, "v17.0.0");
  clock.advance(std::chrono::milliseconds(AgentConnectionTable::kAlive));
  EXPECT_EQ(agent().at("status").at("state"), "disconnected");
}

TEST_F(AgentPageTest, ActivityTellsComingsAndGoings) {
  connect(1, "v17.0.0");
  EXPECT_THAT(activity(), ElementsAre("agent_connected", "agent_created"));
  // Another connection takes over: nothing to tell, but for the version.
  connect(2, "v17.1.0");
  leave(1);
  clock.advance(std::chrono::seconds(11));
  usage.flush();
  EXPECT_THAT(activity(), ElementsAre("version_changed", "agent_connected", "agent_created"));
  // Away for a moment only.
  leave(2);
  clock.advance(std::chrono::seconds(5));
  connect(3, "v17.1.0");
  clock.advance(std::chrono::seconds(30));
  usage.flush();
  EXPECT_EQ(activity().size(), 3U);
  leave(3);
  clock.advance(std::chrono::seconds(11));
  usage.flush();
  EXPECT_EQ(activity()[0], "agent_disconnected");
  clock.advance(std::chrono::hours(1));
  connect(4, "v17.1.0");
  EXPECT_EQ(activity()[0], "agent_connected");
  clock.advance(std::chrono::hours(24 * 8));
  EXPECT_TRUE(activity().empty());
}

TEST_F(AgentPageTest, ActivityTellsTokensAndConfigurations) {
  const std::string tokens = kAgents + "/" + std::to_string(id) + "/tokens";
  const auto token = expect(201, "POST", tokens, root.token, R"({"name":"first"})").at("id").as_int64();
  expect(204, "DELETE", tokens + "/" + std::to_string(token), root.token);
  put_file("root%2Fdemo", ".gitlab%2Fagents%2Fa%2Fconfig.yaml", "observability: {logging: {level: debug}}\n",
           root.token);
  EXPECT_EQ(agent().at("configuration").at("state"), "valid");
  put_file("root%2Fdemo", ".gitlab%2Fagents%2Fa%2Fconfig.yaml", "observability: {logging: {level: loud}}\n",
           root.token);
  EXPECT_EQ(agent().at("configuration").at("state"), "invalid");
  EXPECT_THAT(activity(), ElementsAre("configuration_refused", "configuration_applied", "token_revoked",
                                      "token_created", "agent_created"));
  const auto listed =
      expect(200, "GET", kAgents + "/" + std::to_string(id) + "/activity?per_page=1&page=3", root.token)
          .as_array();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].at("user").at("username"), "root");
  EXPECT_EQ(listed[0].at("agent_token").at("name"), "first");
}

TEST_F(AgentPageTest, TheVerdictNamesLineAndColumnAndKeepsTheLastGoodOne) {
  EXPECT_EQ(agent().at("configuration").at("state"), "absent");
  const std::string file = ".gitlab%2Fagents%2Fa%2Fconfig.yaml";
  put_file("root%2Fdemo", file, "observability: {logging: {levle: debug}}\n", root.token);
  auto verdict = expect(200, "GET", kAgents + "/" + std::to_string(id) + "/configuration", root.token);
  EXPECT_EQ(verdict.at("state"), "valid");
  EXPECT_THAT(std::string(verdict.at("warnings").as_array().at(0).as_string()),
              HasSubstr("did you mean \"level\"?"));
  put_file("root%2Fdemo", file, "observability:\n  logging: 7\n", root.token);
  verdict = expect(200, "GET", kAgents + "/" + std::to_string(id) + "/configuration", root.token);
  EXPECT_EQ(verdict.at("state"), "invalid");
  EXPECT_THAT(std::string(verdict.at("fault").as_string()), StartsWith(".gitlab/agents/a/config.yaml:2:12:"));
  EXPECT_THAT(std::string(verdict.at("content").as_string()), HasSubstr("levle"));
}

TEST_F(AgentPageTest, ConfigurationFilesAreOfferedBeforeThereIsAnAgent) {
  EXPECT_EQ(expect(200, "GET", kAgents + "/configurations", root.token).as_array().size(), 0U);
  put_file("root%2Fdemo", ".gitlab%2Fagents%2Fa%2Fconfig.yaml", "", root.token);
  put_file("root%2Fdemo", ".gitlab%2Fagents%2Fnew%2Fconfig.yaml", "", root.token);
  put_file("root%2Fdemo", ".gitlab%2Fagents%2FREADME.md", "", root.token);
  const auto files = expect(200, "GET", kAgents + "/configurations", root.token).as_array();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].at("agent_id"), id);
  EXPECT_EQ(files[1].at("name"), "new");
  EXPECT_TRUE(files[1].at("agent_id").is_null());
}

TEST_F(AgentPageTest, NamesInTheCommandFitWhatTheyAreFor) {
  const std::string name(63, 'n');
  const auto agent = expect(201, "POST", kAgents, root.token, R"({"name":")" + name + "\"}");
  const std::string other = std::to_string(agent.at("id").as_int64());
  const auto token = expect(201, "POST", kAgents + "/" + other + "/tokens", root.token, R"({"name":"t"})");
  const std::string text(token.at("installation").at("text").as_string());
  const auto cut = [&](std::size_t size) {
    return name.substr(0, size - other.size() - 1) + "-" + other + " ";
  };
  EXPECT_THAT(text, HasSubstr("helm upgrade --install " + cut(53) + "towline/gitlab-agent"));
  EXPECT_THAT(text, HasSubstr("--namespace gitlab-agent-" + cut(63 - 13) + "\\"));
}

TEST_F(AgentPageTest, ATokenComesWithTheCommandThatInstallsTheAgent) {
  const auto token =
      expect(201, "POST", kAgents + "/" + std::to_string(id) + "/tokens", root.token, R"({"name":"t"})");
  const std::string text(token.at("installation").at("text").as_string());
  EXPECT_THAT(
      text, StartsWith("helm repo add towline https://towline.test/charts\nhelm repo update\nhelm upgrade"));
  EXPECT_THAT(text, HasSubstr("--set config.token=" + std::string(token.at("token").as_string())));
  EXPECT_THAT(text, HasSubstr("--set config.kasAddress=wss://towline.test/-/kubernetes-agent/"));
  EXPECT_THAT(text, HasSubstr("--namespace gitlab-agent-a"));
  EXPECT_THAT(text, Not(HasSubstr("ca.pem")));
  core.ca_certificate = "-----BEGIN CERTIFICATE-----\n";
  const auto other =
      expect(201, "POST", kAgents + "/" + std::to_string(id) + "/tokens", root.token, R"({"name":"u"})");
  EXPECT_THAT(
      std::string(other.at("installation").at("text").as_string()),
      AllOf(StartsWith("cat > ca.pem <<'PEM'\n-----BEGIN CERTIFICATE-----\nPEM\nhelm repo add towline "
                       "https://towline.test/charts --ca-file ca.pem\n"),
            HasSubstr("--set-file config.kasCaCert=ca.pem")));
}

struct VersionCase {
  const char* server;
  const char* agent;
  const char* warning;  // a part of it; empty: none
};
class VersionTest : public ::testing::TestWithParam<VersionCase> {};
TEST_P(VersionTest, IsJudged) {
  const std::string warning = version_warning(GetParam().server, GetParam().agent);
  if (*GetParam().warning == '\0') {
    EXPECT_EQ(warning, "");
  } else {
    EXPECT_THAT(warning, HasSubstr(GetParam().warning));
  }
}
INSTANTIATE_TEST_SUITE_P(All, VersionTest,
                         ::testing::Values(VersionCase{"17.1.0", "v17.1.4", ""},
                                           VersionCase{"17.1.0", "v17.0.9", ""},
                                           VersionCase{"17.1.0", "v17.2.0-rc1", ""},
                                           VersionCase{"17.2.0", "v17.0.0", "upgrade the agent"},
                                           VersionCase{"17.1.0", "v17.3.0", "upgrade the server"},
                                           VersionCase{"17.0.0", "v16.11.0", "upgrade the agent"},
                                           VersionCase{"17.0.0", "v18.0.0", "upgrade the server"},
                                           VersionCase{"17.0.0", "dev", ""}, VersionCase{"17.0.0", "", ""}));

TEST(AgentStatusTest, WarnsOfPodsThatDiffer) {
  const AgentStatus status =
      status_of({}, {{.id = 1, .version = "v17.0.0"}, {.id = 2, .version = "v17.1.0"}}, "17.1.0");
  ASSERT_EQ(status.warnings.size(), 1U);
  EXPECT_EQ(status.warnings[0].code, "versions_differ");
  EXPECT_THAT(status.versions, ElementsAre("v17.0.0", "v17.1.0"));
}

TEST_F(AgentPageTest, TheCommandNamesTheImageThatTheOperatorNamed) {
  const std::string tokens = kAgents + "/" + std::to_string(id) + "/tokens";
  const auto text = [&] {
    const auto made = expect(201, "POST", tokens, root.token, R"({"name":"t"})");
    return std::string(made.at("installation").at("text").as_string());
  };
  EXPECT_THAT(text(), Not(HasSubstr("image.repository")));
  core.agent_image = "registry.example.com/agentk";
  EXPECT_THAT(text(), HasSubstr("--set image.repository=registry.example.com/agentk "));
}

TEST_F(AgentPageTest, TheDoctorIsAskedForTheAgentAndItsRefusalsAreTold) {
  const std::string path = kAgents + "/" + std::to_string(id) + "/doctor";
  EXPECT_EQ(expect(200, "POST", path, root.token).at("healthy"), true);
  EXPECT_EQ(doctor.asked, id);
  doctor.answer = fail(Code::kUnavailable, "the agent is not connected");
  EXPECT_EQ(expect(503, "POST", path, root.token).at("message"), "the agent is not connected");
  doctor.answer = fail(Code::kUnimplemented, "cannot be asked");
  expect(501, "POST", path, root.token);
  doctor.answer = fail(Code::kResourceExhausted, "others");
  EXPECT_EQ(header(call("POST", path, root.token), "retry-after"), "5");
  core.agent_doctor = nullptr;
  expect(503, "POST", path, root.token);
}

}  // namespace
}  // namespace towline::control
