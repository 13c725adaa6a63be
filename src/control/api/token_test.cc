// A credential makes none that may more, or lives longer, than itself.
#include <gmock/gmock.h>

#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::HasSubstr;

class TokenTest : public PlaneTest {
 protected:
  static constexpr Millis kDay = Millis{24} * 3600 * 1000;

  boost::json::value make(const std::string& token, const std::string& scopes, const std::string& more = "") {
    return expect(201, "POST", "/user/personal_access_tokens", token,
                  R"({"name":"t","scopes":[)" + scopes + "]" + more + "}");
  }
  static std::string text(const boost::json::value& of, const char* name) {
    return std::string(of.at(name).as_string());
  }
};

TEST_F(TokenTest, ATokenMadeWithoutAnEndEndsAfterAYear) {
  EXPECT_EQ(make(root.token, R"("api")").at("expires_at"), "2025-10-04");
  EXPECT_EQ(make(root.token, R"("api")", R"(,"expires_at":"2024-12-24")").at("expires_at"), "2024-12-24");
  core.token_life = 0;
  EXPECT_TRUE(make(root.token, R"("api")").at("expires_at").is_null());
}

TEST_F(TokenTest, ATokenThatEndsMakesNoneThatEndsLater) {
  const std::string parent = add_token(root.id, {"api"}, core.now() + 2 * kDay);
  const auto child = make(parent, R"("api","k8s_proxy")");
  EXPECT_EQ(child.at("expires_at"), "2024-10-06");
  EXPECT_EQ(make(parent, R"("api")", R"(,"expires_at":"2099-12-31")").at("expires_at"), "2024-10-06");
  EXPECT_EQ(make(parent, R"("api")", R"(,"expires_at":"2024-10-05")").at("expires_at"), "2024-10-05");
  EXPECT_EQ(make(text(child, "token"), R"("api")").at("expires_at"), "2024-10-06");
  core.token_life = 0;
  EXPECT_EQ(make(parent, R"("api")").at("expires_at"), "2024-10-06");
  const auto for_user = expect(201, "POST", "/users/" + std::to_string(root.id) + "/personal_access_tokens",
                               parent, R"({"name":"t","scopes":["api"]})");
  EXPECT_EQ(for_user.at("expires_at"), "2024-10-06");
  make_project("demo", root);
  const auto bot = expect(201, "POST", "/projects/root%2Fdemo/access_tokens", parent,
                          R"({"name":"t","scopes":["api"],"expires_at":"2030-01-01"})");
  EXPECT_EQ(bot.at("expires_at"), "2024-10-06");
}

TEST_F(TokenTest, NoScopeIsWon) {
  Caller maker{.user = {.id = root.id}, .token = {.id = 7, .scopes = "read_api k8s_proxy"}};
  NewAccessToken wanted{.name = "t", .scopes = {"k8s_proxy"}};
  EXPECT_TRUE(Accounts(core).bound(maker, wanted).ok());
  for (const char* scope : {"api", "read_repository", "write_repository"}) {
    wanted.scopes = {"k8s_proxy", scope};
    EXPECT_EQ(Accounts(core).bound(maker, wanted).code(), Code::kPermissionDenied) << scope;
  }
}

TEST_F(TokenTest, TheUserOfAProjectsTokenMakesNothingBeyondTheProject) {
  const auto project = make_project("demo", root);
  const auto made = expect(201, "POST", "/projects/root%2Fdemo/access_tokens", root.token,
                           R"({"name":"ci","scopes":["api"],"access_level":50})");
  const std::string bot = text(made, "token");
  const auto bot_id = std::to_string(made.at("user_id").as_int64());
  expect(403, "POST", "/groups", bot, R"({"name":"g","path":"g"})");
  expect(403, "POST", "/projects", bot, R"({"name":"p"})");
  expect(403, "POST", "/user/personal_access_tokens", bot, R"({"name":"t","scopes":["api"]})");
  expect(403, "POST", "/projects/root%2Fdemo/access_tokens", bot, R"({"name":"t","scopes":["api"]})");
  // Nor is it taken along to elsewhere.
  expect(201, "POST", "/groups", root.token, R"({"name":"g","path":"g"})");
  make_project("other", root);
  for (const char* place : {"/groups/g", "/projects/root%2Fother"}) {
    const auto refused = call("POST", std::string(place) + "/members", root.token,
                              R"({"user_id":)" + bot_id + R"(,"access_level":30})");
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(message(refused), HasSubstr("a member of that project only"));
  }
  // What its role allows in the project stays.
  expect(201, "POST", "/projects/" + std::to_string(project) + "/cluster_agents", bot, R"({"name":"a"})");
}

TEST_F(TokenTest, TokensOfAProjectGoWithIt) {
  const auto group = expect(201, "POST", "/groups", root.token, R"({"name":"g","path":"g"})");
  const auto in_group = std::to_string(group.at("id").as_int64());
  for (const std::string gone : {"/projects/g%2Fdemo", "/groups/g"}) {
    make_project("demo", root, R"(,"namespace_id":)" + in_group);
    const auto made = expect(201, "POST", "/projects/g%2Fdemo/access_tokens", root.token,
                             R"({"name":"ci","scopes":["api"]})");
    expect(200, "GET", "/user", text(made, "token"));
    expect(202, "DELETE", gone, root.token);
    expect(401, "GET", "/user", text(made, "token"));
  }
}

TEST_F(TokenTest, ANumberHasOneForm) {
  make_project("demo", root);
  const auto id = std::to_string(
      expect(201, "POST", "/projects/root%2Fdemo/cluster_agents", root.token, R"({"name":"a"})")
          .at("id")
          .as_int64());
  expect(200, "GET", "/projects/root%2Fdemo/cluster_agents/" + id, root.token);
  for (const std::string& other :
       {"0" + id, "00" + id, "+" + id, "-" + id, id + ".0", "%20" + id, id + "%20"}) {
    expect(404, "GET", "/projects/root%2Fdemo/cluster_agents/" + other, root.token);
    expect(404, "GET", "/projects/" + other, root.token);
    expect(404, "GET", "/users/" + other, root.token);
  }
  const std::string role = R"(,"access_level":10})";
  expect(400, "POST", "/projects/root%2Fdemo/members", root.token, R"({"user_id":"01")" + role);
}

}  // namespace
}  // namespace towline::control
