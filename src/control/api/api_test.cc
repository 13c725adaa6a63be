#include "control/api/api.h"

#include <gmock/gmock.h>

#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using ApiTest = PlaneTest;

TEST_F(ApiTest, MetadataTellsWhereAgentsAndKubectlConnect) {
  const auto metadata = expect(200, "GET", "/metadata", root.token);
  EXPECT_EQ(metadata.at("version"), "17.0.0");
  EXPECT_EQ(metadata.at("kas").at("enabled"), true);
  EXPECT_EQ(metadata.at("kas").at("externalUrl"), "wss://towline.test/-/kubernetes-agent/");
  EXPECT_EQ(metadata.at("kas").at("externalK8sProxyUrl"),
            "https://towline.test/-/kubernetes-agent/k8s-proxy/");
  EXPECT_EQ(metadata.at("kas").at("version"), "17.0.0");
  EXPECT_EQ(expect(200, "GET", "/version", root.token), metadata);
}

TEST_F(ApiTest, BrowsersNeitherStoreNorRunNorFrameAnAnswer) {
  for (const int status : {200, 401, 404}) {
    const auto response = status == 200   ? call("GET", "/version", root.token)
                          : status == 401 ? call("GET", "/user")
                                          : call("GET", "/nothing/here", root.token);
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(header(response, "cache-control"), "no-store");
    EXPECT_EQ(header(response, "x-content-type-options"), "nosniff");
    EXPECT_EQ(header(response, "content-security-policy"),
              "default-src 'none'; frame-ancestors 'none'; sandbox");
    EXPECT_EQ(header(response, "strict-transport-security"), "max-age=31536000");
  }
}

TEST_F(ApiTest, WhoWasKnownAtTheHeadIsAskedAgainOnceAnythingHasChanged) {
  const Person alice = add_user("alice");
  http::Request request{.head = {.method = "GET", .target = "/api/v4/user"}, .peer = "192.0.2.1:1"};
  request.head.headers.add("private-token", alice.token);
  EXPECT_TRUE(api.guard().bears_credentials(request.head));
  const auto visitor = api.guard().receive(request).value();
  EXPECT_EQ(visitor->who, io::Caller::user(alice.id));
  EXPECT_EQ(std::get<http::Response>(api.answer(request, visitor.get())).status, 200);
  expect(204, "DELETE", "/personal_access_tokens/self", alice.token);
  EXPECT_EQ(std::get<http::Response>(api.answer(request, visitor.get())).status, 401);
  EXPECT_FALSE(api.guard().receive(request).has_value());
}

TEST_F(ApiTest, ABodyOfVeryManyValuesIsRefusedBeforeItIsParsed) {
  std::string many = "[0";
  for (int i = 0; i < 100'000; ++i) many += ",0";
  EXPECT_THAT(message(call("POST", "/projects", root.token, R"({"name":"a","x":)" + many + "]}")),
              HasSubstr("more than 100000 values"));
  const std::string commas(200'000, ',');
  EXPECT_EQ(call("POST", "/projects", root.token, R"({"name":"a","x":"\"{)" + commas + "\"}").status, 201)
      << "those of a text count for nothing";
  EXPECT_EQ(call("POST", "/projects", root.token, "name=b" + std::string(100'000, '&'),
                 "application/x-www-form-urlencoded")
                .status,
            400);
}

TEST_F(ApiTest, StrangersAreKnownByTheirAddress) {
  http::Request request{.head = {.method = "GET", .target = "/api/v4/user"}, .peer = "192.0.2.1:1"};
  EXPECT_FALSE(api.guard().bears_credentials(request.head));
  request.head.headers.add("cookie", "a=b");
  EXPECT_FALSE(api.guard().bears_credentials(request.head));
  EXPECT_EQ(api.guard().receive(request).value()->who, io::Caller::address("192.0.2.1:9"));
}

TEST_F(ApiTest, CredentialsAreRequiredAndChecked) {
  EXPECT_EQ(call("GET", "/user").status, 401);
  EXPECT_EQ(call("GET", "/nothing/here").status, 401);
  EXPECT_EQ(call("GET", "/user", "glpat-wrong").status, 401);
  EXPECT_EQ(call("GET", "/projects", "glpat-wrong").status, 401);
  EXPECT_EQ(call("GET", "/nothing/here", root.token).status, 404);
  EXPECT_EQ(call("PATCH", "/user", root.token).status, 405);
  http::Request bearer{.head = {.method = "GET", .target = "/api/v4/user"}};
  bearer.head.headers.add("authorization", "Bearer " + root.token);
  EXPECT_EQ(answer(bearer).status, 200);
  http::Request basic{.head = {.method = "GET", .target = "/api/v4/user"}};
  basic.head.headers.add("authorization", "Basic abc");
  EXPECT_EQ(answer(basic).status, 401);
}

TEST_F(ApiTest, GuessersAreSlowedDownAndOthersAreNot) {
  int unauthorized = 0;
  http::Response last;
  for (int i = 0; i < 25; ++i) {
    last = call("GET", "/user", "glpat-wrong");
    if (last.status == 401) ++unauthorized;
  }
  EXPECT_EQ(unauthorized, 20);
  EXPECT_EQ(last.status, 429);
  EXPECT_EQ(header(last, "retry-after"), "7");
  EXPECT_EQ(call("GET", "/user", root.token).status, 200);
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(call("GET", "/user", "glpat-wrong").status, 401);
}

struct ScopeCase {
  const char* name;
  const char* scope;
  int read, write, self;
};
void PrintTo(const ScopeCase& each, std::ostream* to) { *to << each.name; }
class ScopeTest : public ApiTest, public ::testing::WithParamInterface<ScopeCase> {};

TEST_P(ScopeTest, AllowsWhatItSays) {
  const std::string token = add_token(root.id, {GetParam().scope});
  EXPECT_EQ(call("GET", "/user", token).status, GetParam().read);
  EXPECT_EQ(call("POST", "/projects", token, R"({"name":"p"})").status, GetParam().write);
  EXPECT_EQ(call("GET", "/personal_access_tokens/self", token).status, GetParam().self);
}

INSTANTIATE_TEST_SUITE_P(All, ScopeTest,
                         ::testing::Values(ScopeCase{"Api", "api", 200, 201, 200},
                                           ScopeCase{"ReadApi", "read_api", 200, 403, 200},
                                           ScopeCase{"Proxy", "k8s_proxy", 403, 403, 200},
                                           ScopeCase{"Repository", "write_repository", 403, 403, 200}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(ApiTest, ATokenIsShownOnceAndStoredAsAHash) {
  const auto made = expect(201, "POST", "/user/personal_access_tokens", root.token,
                           R"({"name":"ci","scopes":["k8s_proxy","read_api"],"expires_at":"2099-12-31"})");
  const std::string token(made.at("token").as_string());
  EXPECT_THAT(token, StartsWith("glpat-"));
  EXPECT_GE(token.size(), 6U + 43U);
  EXPECT_EQ(made.at("expires_at"), "2099-12-31");
  EXPECT_EQ(made.at("active"), true);
  const auto again =
      expect(200, "GET", "/personal_access_tokens/" + std::to_string(made.at("id").as_int64()), root.token);
  EXPECT_FALSE(again.as_object().contains("token"));
  EXPECT_THAT(call("GET", "/personal_access_tokens", root.token).body, Not(HasSubstr(token)));
}

TEST_F(ApiTest, ATokenThatIsRevokedExpiredOrOfABlockedUserIsNoneAnyMore) {
  const Person ada = add_user("ada");
  const std::string short_lived = add_token(ada.id, {"api"}, core.now() + 1000);
  const std::string revoked = add_token(ada.id, {"api"});
  EXPECT_EQ(call("GET", "/user", short_lived).status, 200);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(call("GET", "/user", short_lived).status, 401);
  EXPECT_EQ(call("DELETE", "/personal_access_tokens/self", revoked).status, 204);
  EXPECT_EQ(call("GET", "/user", revoked).status, 401);
  expect(201, "POST", "/users/" + std::to_string(ada.id) + "/block", root.token);
  EXPECT_EQ(call("GET", "/user", ada.token).status, 401);
}

TEST_F(ApiTest, TokensOfOthersAreForAdministrators) {
  const Person ada = add_user("ada");
  const std::string path = "/users/" + std::to_string(ada.id) + "/personal_access_tokens";
  const std::string body = R"({"name":"x","scopes":["api"]})";
  const auto made = expect(201, "POST", path, root.token, body);
  EXPECT_EQ(made.at("user_id"), ada.id);
  expect(403, "POST", path, ada.token, body);
  EXPECT_EQ(call("GET", "/user", std::string(made.at("token").as_string())).status, 200);
  const Person bob = add_user("bob");
  expect(404, "DELETE", "/personal_access_tokens/" + std::to_string(made.at("id").as_int64()), bob.token);
  EXPECT_EQ(expect(200, "GET", "/personal_access_tokens", ada.token).as_array().size(), 2U);
}

TEST_F(ApiTest, LastUseIsNotedOffTheRequest) {
  const Person ada = add_user("ada");
  const auto self = expect(200, "GET", "/personal_access_tokens/self", ada.token);
  EXPECT_TRUE(self.at("last_used_at").is_null());
  usage.flush();
  const auto later = expect(200, "GET", "/personal_access_tokens/self", ada.token);
  EXPECT_EQ(later.at("last_used_at"), "2024-10-04T00:00:00.000Z");
  clock.advance(std::chrono::seconds(59));
  call("GET", "/user", ada.token);
  usage.flush();
  EXPECT_EQ(expect(200, "GET", "/personal_access_tokens/self", ada.token).at("last_used_at"),
            "2024-10-04T00:00:00.000Z");
  clock.advance(std::chrono::seconds(1));
  call("GET", "/user", ada.token);
  usage.flush();
  EXPECT_EQ(expect(200, "GET", "/personal_access_tokens/self", ada.token).at("last_used_at"),
            "2024-10-04T00:01:00.000Z");
}

struct BadCase {
  const char* name;
  const char* method;
  const char* path;
  const char* body;
  int status;
  const char* message;
};
void PrintTo(const BadCase& each, std::ostream* to) { *to << each.name; }
class BadRequestTest : public ApiTest, public ::testing::WithParamInterface<BadCase> {};

TEST_P(BadRequestTest, IsRefusedByName) {
  make_project("taken", root);
  const auto response = call(GetParam().method, GetParam().path, root.token, GetParam().body);
  EXPECT_EQ(response.status, GetParam().status) << response.body;
  EXPECT_THAT(message(response), HasSubstr(GetParam().message));
}

#define AGENTS "/projects/root%2Ftaken/cluster_agents"
INSTANTIATE_TEST_SUITE_P(
    All, BadRequestTest,
    ::testing::Values(
        BadCase{"NoJson", "POST", "/projects", "{", 400, "not valid JSON"},
        BadCase{"JsonList", "POST", "/projects", "[]", 400, "must be a JSON object"},
        BadCase{"NoName", "POST", "/projects", "{}", 400, "name, path are missing"},
        BadCase{"NameIsObject", "POST", "/projects", R"({"name":{}})", 400, "name is invalid"},
        BadCase{"NameTaken", "POST", "/projects", R"({"name":"TAKEN"})", 409, "already been taken"},
        BadCase{"PathIsUser", "POST", "/groups", R"({"name":"x","path":"Root"})", 409, "already been taken"},
        BadCase{"ReservedPath", "POST", "/groups", R"({"name":"x","path":"api"})", 400, "reserved"},
        BadCase{"PathWithSlash", "POST", "/projects", R"({"name":"x","path":"a/b"})", 400,
                "path can contain only"},
        BadCase{"PathIsDotGit", "POST", "/projects", R"({"name":"x","path":"a.git"})", 400,
                "must not end with .git"},
        BadCase{"Visibility", "POST", "/projects", R"({"name":"x","visibility":"odd"})", 400, "visibility"},
        BadCase{"NoNamespace", "POST", "/projects", R"({"name":"x","namespace_id":99})", 400, "namespace_id"},
        BadCase{"Page", "GET", "/projects?page=0", "", 400, "page"},
        BadCase{"PerPage", "GET", "/projects?per_page=x", "", 400, "per_page"},
        BadCase{"Escape", "GET", "/projects/%zz", "", 400, "percent-encoded"},
        BadCase{"ZeroByte", "POST", "/projects", R"({"name":"a\u0000b"})", 400, "name is not valid text"},
        BadCase{"Scope", "POST", "/user/personal_access_tokens", R"({"name":"x","scopes":["sudo"]})", 400,
                "scopes"},
        BadCase{"NoScopes", "POST", "/user/personal_access_tokens", R"({"name":"x"})", 400,
                "scopes is missing"},
        BadCase{"Date", "POST", "/user/personal_access_tokens",
                R"({"name":"x","scopes":["api"],"expires_at":"2023-02-30"})", 400, "expires_at"},
        BadCase{"PastDate", "POST", "/user/personal_access_tokens",
                R"({"name":"x","scopes":["api"],"expires_at":"2001-01-01"})", 400, "future"},
        BadCase{"AgentNoName", "POST", AGENTS, "{}", 400, "name is missing"},
        BadCase{"AgentEmpty", "POST", AGENTS, R"({"name":""})", 400, "1 to 63"},
        BadCase{"AgentUpper", "POST", AGENTS, R"({"name":"My"})", 400, "upper-case"},
        BadCase{"AgentUnderscore", "POST", AGENTS, R"({"name":"a_b"})", 400, "other than a-z, 0-9 and '-'"},
        BadCase{"AgentDashFirst", "POST", AGENTS, R"({"name":"-a"})", 400, "starts with '-'"},
        BadCase{"AgentDashLast", "POST", AGENTS, R"({"name":"a-"})", 400, "ends with '-'"},
        BadCase{"AgentLong", "POST", AGENTS,
                R"({"name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})", 400,
                "64 characters"},
        BadCase{"UserPassword", "POST", "/users",
                R"({"username":"x","name":"x","email":"x@example.com","password":"short"})", 400, "password"},
        BadCase{"UserEmail", "POST", "/users",
                R"({"username":"x","name":"x","email":"x","password":"long enough"})", 400, "email"},
        BadCase{"Level", "POST", "/projects/root%2Ftaken/members", R"({"user_id":1,"access_level":35})", 400,
                "access_level"},
        BadCase{"MemberExpires", "POST", "/projects/root%2Ftaken/members",
                R"({"user_id":1,"access_level":30,"expires_at":"2020-01-01"})", 400, "expires_at"},
        BadCase{"MemberExpiresLater", "PUT", "/projects/root%2Ftaken/members/1",
                R"({"access_level":50,"expires_at":"2999-01-01"})", 400, "expires_at"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(ApiTest, AProjectIsFoundByNumberAndByEscapedPath) {
  const auto id = make_project("My Demo", root, R"(,"description":"d","initialize_with_readme":true)");
  const auto by_id = expect(200, "GET", "/projects/" + std::to_string(id), root.token);
  EXPECT_EQ(by_id.at("path_with_namespace"), "root/my-demo");
  EXPECT_EQ(by_id.at("name_with_namespace"), "root / My Demo");
  EXPECT_EQ(by_id.at("http_url_to_repo"), "https://towline.test/root/my-demo.git");
  EXPECT_EQ(by_id.at("ssh_url_to_repo"), "git@towline.test:root/my-demo.git");
  EXPECT_EQ(by_id.at("default_branch"), "main");
  EXPECT_EQ(by_id.at("namespace").at("full_path"), "root");
  EXPECT_EQ(by_id.at("created_at"), "2024-10-04T00:00:00.000Z");
  EXPECT_EQ(
      expect(200, "GET", "/projects/root%2Fmy%2Ddemo?license=true&with_custom_attributes=true", root.token),
      by_id);
  EXPECT_EQ(expect(200, "GET", "/projects/ROOT%2fMy-Demo", root.token), by_id);
  expect(404, "GET", "/projects/root/my-demo", root.token);
}

TEST_F(ApiTest, WhatOneMayNotSeeDoesNotExist) {
  make_project("secret", root);
  make_project("open", root, R"(,"visibility":"public")");
  make_project("inside", root, R"(,"visibility":"internal")");
  const Person ada = add_user("ada");
  expect(404, "GET", "/projects/root%2Fsecret", ada.token);
  expect(404, "GET", "/projects/root%2Fsecret");
  expect(404, "GET", "/projects/root%2Finside");
  expect(200, "GET", "/projects/root%2Finside", ada.token);
  expect(200, "GET", "/projects/root%2Fopen");
  expect(403, "PUT", "/projects/root%2Fopen", ada.token, R"({"name":"x"})");
  expect(403, "GET", "/projects/root%2Fopen/cluster_agents", ada.token);
  expect(404, "GET", "/projects/root%2Fsecret/cluster_agents", ada.token);
  EXPECT_EQ(expect(200, "GET", "/projects", ada.token).as_array().size(), 2U);
  EXPECT_EQ(expect(200, "GET", "/projects").as_array().size(), 1U);
  EXPECT_EQ(expect(200, "GET", "/projects?membership=true", ada.token).as_array().size(), 0U);
}

TEST_F(ApiTest, ListsArePaginated) {
  for (int i = 0; i < 5; ++i) make_project("p" + std::to_string(i), root);
  const auto page = call("GET", "/projects?per_page=2&page=2&search=p", root.token);
  EXPECT_EQ(json(page).as_array().size(), 2U);
  EXPECT_EQ(header(page, "x-page"), "2");
  EXPECT_EQ(header(page, "x-per-page"), "2");
  EXPECT_EQ(header(page, "x-total"), "5");
  EXPECT_EQ(header(page, "x-total-pages"), "3");
  EXPECT_EQ(header(page, "x-next-page"), "3");
  EXPECT_EQ(header(page, "x-prev-page"), "1");
  EXPECT_THAT(
      header(page, "link"),
      AllOf(HasSubstr("<https://towline.test/api/v4/projects?search=p&page=3&per_page=2>; rel=\"next\""),
            HasSubstr("rel=\"prev\""), HasSubstr("rel=\"first\""), HasSubstr("rel=\"last\"")));
  const auto last = call("GET", "/projects?per_page=1000", root.token);
  EXPECT_EQ(header(last, "x-per-page"), "100");
  EXPECT_EQ(header(last, "x-next-page"), "");
  EXPECT_THAT(header(last, "link"), Not(HasSubstr("next")));
}

TEST_F(ApiTest, FormsAreAcceptedToo) {
  const auto made = call("POST", "/projects", root.token, "name=a+b%21&visibility=public",
                         "application/x-www-form-urlencoded");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(json(made).at("name"), "a b!");
  const auto token =
      call("POST", "/user/personal_access_tokens?name=x&scopes[]=api&scopes%5B%5D=k8s_proxy", root.token);
  EXPECT_EQ(json(token).at("scopes").as_array().size(), 2U);
  EXPECT_EQ(call("POST", "/projects", root.token, "x", "text/plain").status, 400);
}

TEST_F(ApiTest, NoSecretIsEverLogged) {
  call("GET", "/user", "glpat-veryverysecret");
  make_project("p", root);
  for (const std::string& line : lines) {
    EXPECT_THAT(line, Not(HasSubstr("veryverysecret")));
    EXPECT_THAT(line, Not(HasSubstr(root.token)));
  }
}

}  // namespace
}  // namespace towline::control
