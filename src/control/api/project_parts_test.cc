// Environments, URL configurations, protected branches and access tokens of a project.
#include <gmock/gmock.h>

#include "control/domain/branches.h"
#include "control/domain/vault.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class ProjectPartsTest : public PlaneTest {
 protected:
  ProjectPartsTest() {
    project_id = make_project("demo", root);
    agent =
        expect(201, "POST", kProject + "/cluster_agents", root.token, R"({"name":"a"})").at("id").as_int64();
  }
  const std::string kProject = "/projects/root%2Fdemo";
  std::int64_t project_id = 0;
  std::int64_t agent = 0;
};

TEST_F(ProjectPartsTest, AnEnvironmentLives) {
  const std::string body =
      R"({"name":"flux-system/gitlab-agent","cluster_agent_id":)" + std::to_string(agent) +
      R"(,"kubernetes_namespace":"gitlab-agent","flux_resource_path":"helm/x","tier":"production"})";
  const auto made = expect(201, "POST", kProject + "/environments", root.token, body);
  EXPECT_THAT(std::string(made.at("slug").as_string()), MatchesRegex("flux-system-gitla-[0-9a-f]{6}"));
  EXPECT_EQ(made.at("state"), "available");
  EXPECT_EQ(made.at("cluster_agent").at("name"), "a");
  expect(400, "POST", kProject + "/environments", root.token, body);
  const auto found =
      expect(200, "GET", kProject + "/environments?name=flux-system%2Fgitlab-agent", root.token);
  ASSERT_EQ(found.as_array().size(), 1U);
  EXPECT_EQ(expect(200, "GET", kProject + "/environments?search=nothing", root.token).as_array().size(), 0U);
  const std::string one = kProject + "/environments/" + std::to_string(made.at("id").as_int64());
  EXPECT_EQ(expect(200, "PUT", one, root.token, R"({"external_url":"https://a.example"})").at("external_url"),
            "https://a.example");
  expect(403, "DELETE", one, root.token);
  EXPECT_EQ(expect(200, "POST", one + "/stop", root.token).at("state"), "stopped");
  expect(204, "DELETE", one, root.token);
  expect(404, "GET", one, root.token);
}

TEST_F(ProjectPartsTest, AnEnvironmentIsChecked) {
  const auto refused = [&](const std::string& body, const char* message) {
    const auto response = call("POST", kProject + "/environments", root.token, body);
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr(message));
  };
  refused("{}", "name");
  refused(R"({"name":"a","tier":"best"})", "tier");
  refused(R"x({"name":"a","external_url":"javascript:alert(1)"})x", "external_url");
  refused(R"({"name":"a","cluster_agent_id":999})", "cluster_agent_id");
}

TEST_F(ProjectPartsTest, AReceptiveAgentHasOneUrl) {
  const std::string own = kProject + "/cluster_agents/" + std::to_string(agent);
  const std::string urls = own + "/url_configurations";
  EXPECT_EQ(expect(200, "GET", own, root.token).at("is_receptive"), false);
  const auto made =
      expect(201, "POST", urls, root.token, R"({"url":"grpcs://agent.example:443","tls_host":"a.b"})");
  EXPECT_EQ(made.at("public_key").as_string().size(), 44U);
  EXPECT_FALSE(made.as_object().contains("client_cert"));
  EXPECT_EQ(expect(200, "GET", own, root.token).at("is_receptive"), true);
  expect(400, "POST", urls, root.token, R"({"url":"grpc://agent.example"})");
  EXPECT_EQ(expect(200, "GET", urls, root.token).as_array().size(), 1U);
  const std::string one = urls + "/" + std::to_string(made.at("id").as_int64());
  EXPECT_EQ(expect(200, "GET", one, root.token), made);
  expect(204, "DELETE", one, root.token);
  EXPECT_EQ(expect(200, "GET", own, root.token).at("is_receptive"), false);
}

TEST_F(ProjectPartsTest, AUrlConfigurationIsChecked) {
  const std::string urls = kProject + "/cluster_agents/" + std::to_string(agent) + "/url_configurations";
  const auto refused = [&](const std::string& body, const char* message) {
    const auto response = call("POST", urls, root.token, body);
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr(message));
  };
  refused("{}", "url is missing");
  refused(R"({"url":"https://a"})", "grpc://");
  refused(R"({"url":"grpc://a%0d%0ab"})", "url: the host is neither an IP address nor a name");
  refused(R"({"url":"grpc://a","tls_host":"a"})", "grpcs://");
  refused(R"({"url":"grpcs://a","client_cert":"x"})", "together");
  refused(R"({"url":"grpcs://a","client_cert":"x","client_key":"y"})", "client_cert holds no PEM");
  refused(R"({"url":"grpcs://a","ca_cert":"x"})", "ca_cert");
}

TEST_F(ProjectPartsTest, AUrlIntoTheOwnNetworkNeedsTheOperatorsLeave) {
  const std::string urls = kProject + "/cluster_agents/" + std::to_string(agent) + "/url_configurations";
  struct Case {
    const char* url;
    const char* entry;
    const char* why;
  };
  for (const Case& each : {
           Case{"grpcs://169.254.169.254:443", "169.254.169.254",
                "url: 169.254.169.254 is a link-local address"},
           Case{"grpc://[::ffff:10.0.0.1]:80", "10.0.0.0/8", "url: 10.0.0.1 is a private address"},
           Case{"grpcs://localhost", "localhost:443", "url: localhost is a name of this machine"},
           Case{"grpcs://[fd00:ec2::254]", "fd00::/8", "url: fd00:ec2::254 is a unique local address"},
           Case{"grpc://2130706433:8080", "127.0.0.1:8080", "url: 127.0.0.1 is a loopback address"},
       }) {
    const std::string body = std::string(R"({"url":")") + each.url + "\"}";
    core.outbound = io::AddressPolicy();
    const auto refused = call("POST", urls, root.token, body);
    EXPECT_EQ(refused.status, 400) << each.url;
    EXPECT_THAT(message(refused), HasSubstr(each.why));
    EXPECT_THAT(message(refused), HasSubstr("it is dialled only with --outbound-allow "));
    core.outbound = io::AddressPolicy::parse({each.entry}).value();
    const auto made = expect(201, "POST", urls, root.token, body);
    expect(204, "DELETE", urls + "/" + std::to_string(made.at("id").as_int64()), root.token);
  }
}

TEST_F(ProjectPartsTest, BranchesAreProtectedByNameAndPattern) {
  const std::string rules = kProject + "/protected_branches";
  EXPECT_EQ(expect(200, "GET", rules, root.token).as_array().at(0).at("name"), "main");
  expect(201, "POST", rules, root.token, R"({"name":"release/*","push_access_level":30})");
  expect(409, "POST", rules, root.token, R"({"name":"main"})");
  expect(400, "POST", rules, root.token, R"({"name":"a..b"})");
  expect(400, "POST", rules, root.token, R"({"name":"a b"})");
  expect(400, "POST", rules, root.token, R"({"name":"x","push_access_level":31})");
  const Person dev = add_user("dev");
  expect(201, "POST", kProject + "/members", root.token,
         R"({"user_id":)" + std::to_string(dev.id) + R"(,"access_level":30})");
  const auto commit = [&](const char* branch) {
    const std::string body = std::string(R"({"branch":")") + branch +
                             R"(","start_branch":"main","commit_message":"m","content":"x"})";
    return call("POST", kProject + "/repository/files/f", dev.token, body);
  };
  put_file("root%2Fdemo", "README", "x", root.token);
  EXPECT_EQ(commit("main").status, 403);
  EXPECT_EQ(commit("release/1").status, 201);
  expect(403, "DELETE", rules + "/main", dev.token);
  expect(204, "DELETE", rules + "/main", root.token);
  EXPECT_EQ(commit("main").status, 201);
}

TEST(BranchesTest, PatternsMatchAndThePermissiveRuleWins) {
  EXPECT_TRUE(branch_matches("a*c", "abc"));
  EXPECT_TRUE(branch_matches("*", "anything/at/all"));
  EXPECT_FALSE(branch_matches("release/*", "release"));
  EXPECT_TRUE(branch_matches("*-stable-*", "1-stable-2"));
  const std::vector<ProtectedBranch> rules = {{.name = "main"},
                                              {.name = "m*", .push_access_level = Role::kDeveloper}};
  EXPECT_TRUE(branch_rights(rules, "main", Role::kDeveloper).push);
  EXPECT_FALSE(branch_rights(rules, "main", Role::kMaintainer).force_push);
  EXPECT_FALSE(branch_rights(rules, "main", Role::kReporter).push);
  EXPECT_FALSE(branch_rights(rules, "x", Role::kDeveloper).is_protected);
}

TEST_F(ProjectPartsTest, AProjectsTokenIsABotOfThatProjectOnly) {
  make_project("other", root);
  const auto made = expect(201, "POST", kProject + "/access_tokens", root.token,
                           R"({"name":"ci","scopes":["api"],"access_level":30})");
  const std::string token(made.at("token").as_string());
  expect(200, "GET", kProject + "/cluster_agents", token);
  expect(403, "POST", kProject + "/cluster_agents", token, R"({"name":"b"})");
  expect(404, "GET", "/projects/root%2Fother", token);
  EXPECT_EQ(expect(200, "GET", kProject + "/access_tokens", root.token).as_array().size(), 1U);
  // It is nobody whom one meets among people.
  EXPECT_EQ(expect(200, "GET", "/users?search=_bot_", root.token).as_array().size(), 0U);
  expect(204, "DELETE", kProject + "/access_tokens/" + std::to_string(made.at("id").as_int64()), root.token);
  expect(401, "GET", "/user", token);
}

TEST_F(ProjectPartsTest, NobodyMakesATokenHigherThanHimself) {
  const Person lead = add_user("lead");
  expect(201, "POST", kProject + "/members", root.token,
         R"({"user_id":)" + std::to_string(lead.id) + R"(,"access_level":40})");
  const auto make = [&](int level) {
    const std::string body = R"({"name":"t","scopes":["api"],"access_level":)" + std::to_string(level) + "}";
    return call("POST", kProject + "/access_tokens", lead.token, body).status;
  };
  EXPECT_EQ(make(50), 403);
  EXPECT_EQ(make(40), 201);
  EXPECT_EQ(make(41), 400);
  expect(400, "POST", kProject + "/access_tokens", root.token, R"({"name":"t","scopes":["everything"]})");
}

TEST(VaultTest, OpensOnlyWhatItSealedForThePurpose) {
  const TempFolder folder;
  const auto vault = Vault::open(folder.path() + "/key");
  ASSERT_TRUE(vault.has_value());
  const std::string sealed = vault->seal(Secret("private"), "agent 1");
  EXPECT_THAT(sealed, Not(HasSubstr("private")));
  EXPECT_NE(sealed, vault->seal(Secret("private"), "agent 1"));
  EXPECT_EQ(Vault::open(folder.path() + "/key")->unseal(sealed, "agent 1")->reveal(), "private");
  EXPECT_FALSE(vault->unseal(sealed, "agent 2").has_value());
  EXPECT_FALSE(Vault::open(folder.path() + "/another")->unseal(sealed, "agent 1").has_value());
  EXPECT_FALSE(vault->unseal("", "agent 1").has_value());
  EXPECT_EQ(std::filesystem::status(folder.path() + "/key").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace
}  // namespace towline::control
