#include "control/graphql/endpoint.h"

#include <gmock/gmock.h>

#include "control/domain/sessions.h"
#include "control/graphql/test_endpoint.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;
using ::testing::StartsWith;

TEST_F(EndpointTest, TokensNeedScopesAndSessionsAProof) {
  const auto reading = add_token(root.id, {"read_api"});
  const auto proxy = add_token(root.id, {"k8s_proxy"});
  const std::string query = "{ currentUser { username } }";
  const std::string change =
      "mutation { createClusterAgent(input: {projectPath: \"root/demo\", name: \"n\"}) { errors } }";
  data(query, reading);
  EXPECT_EQ(ask(change, reading).status, 403);
  EXPECT_EQ(error(ask(query, proxy)), "The token needs the scope read_api or api");
  auto session = Sessions(core).open("root", Secret("correct horse"));
  ASSERT_TRUE(session.has_value());
  const std::string cookie = "__Host-towline_session=" + session->value.reveal();
  EXPECT_EQ(ask(query, "", {}, {{"cookie", cookie}}).status, 200);
  EXPECT_EQ(error(ask(change, "", {}, {{"cookie", cookie}})), "The header X-CSRF-Token is missing or wrong");
  const auto proved =
      ask(change, "", {}, {{"cookie", cookie}, {"x-csrf-token", Sessions::csrf_token(session->value)}});
  EXPECT_EQ(proved.body, R"({"data":{"createClusterAgent":{"errors":[]}}})");
}

TEST_F(EndpointTest, WrongTokensAreCountedWithThoseOfTheRestApi) {
  EXPECT_EQ(ask("{ __typename }", "wrong").status, 401);
  EXPECT_EQ(error(ask("{ __typename }", "wrong")), "Invalid token");
  for (int i = 0; i < 18; ++i) EXPECT_EQ(call("GET", "/user", "wrong").status, 401);
  const auto response = ask("{ __typename }", "wrong");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(header(response, "retry-after"), "7");
  EXPECT_EQ(call("GET", "/user", "wrong").status, 429);
  EXPECT_EQ(ask("{ __typename }", root.token).status, 200);
}

TEST_F(EndpointTest, TakesTheWaysOfAsking) {
  const std::string wanted = R"({"data":{"__typename":"Query"}})";
  EXPECT_EQ(get("/api/graphql?query=%7B__typename%7D", "").body, wanted);
  EXPECT_EQ(
      get("/api/graphql?query=query+A(%24x:Boolean!)%7B__typename@include(if:%24x)%7Dquery+B%7B__typename%7D"
          "&operationName=A&variables=%7B%22x%22:false%7D",
          "")
          .body,
      R"({"data":{}})");
  EXPECT_EQ(post("query={__typename}", "", {{"content-type", "application/x-www-form-urlencoded"}}).body,
            wanted);
  EXPECT_EQ(post(R"({"query":"{__typename}","variables":null,"operationName":null})", "").body, wanted);
  const auto response = post(R"({"query":"{__typename}"})", "");
  EXPECT_EQ(header(response, "content-type"), "application/json");
  EXPECT_EQ(header(response, "cache-control"), "no-store");
}

TEST_F(EndpointTest, RefusesWhatIsMalformed) {
  const auto refusal = [](const http::Response& response) {
    return std::to_string(response.status) + " " + response.body;
  };
  EXPECT_EQ(refusal(post(R"({"query":"{ a"})", "")),
            R"(400 {"errors":[{"message":"Syntax error: expected \"}\", found the end of the text",)"
            R"("locations":[{"line":1,"column":4}]}]})");
  EXPECT_EQ(refusal(post(R"({"query":"{ a }"})", "")),
            R"(400 {"errors":[{"message":"Field \"a\" does not exist on type \"Query\"",)"
            R"("locations":[{"line":1,"column":3}]}]})");
  for (const char* body :
       {"", "{", "[]", "{}", R"({"query":5})", R"({"query":"{__typename}","variables":[]})",
        R"({"query":"{__typename}","variables":"{"})", R"({"query":"{__typename}","operationName":"A"})",
        R"({"query":"query A{__typename}query B{__typename}"})",
        R"({"query":"query($a:Int!){__typename}"})"}) {
    EXPECT_THAT(refusal(post(body, root.token)), StartsWith("400 {\"errors\":[{\"message\":")) << body;
  }
  EXPECT_EQ(post("{__typename}", root.token, {{"content-type", "text/plain"}}).status, 400);
  EXPECT_EQ(post(std::string(300 * 1024, ' '), root.token).status, 413);
  EXPECT_EQ(
      get("/api/graphql?query=mutation%7BclusterAgentDelete(input:%7Bid:1%7D)%7Berrors%7D%7D", root.token)
          .status,
      405);
  EXPECT_EQ(header(get("/api/graphql", root.token, "PUT"), "allow"), "GET, POST");
  EXPECT_EQ(get("/api/graphql/x", root.token).status, 404);
}

TEST_F(EndpointTest, TellsPageOfProblemsWithPlaceAndPath) {
  const auto response = ask("{ projects(first: -1) { count } }", root.token);
  EXPECT_EQ(response.body,
            R"({"data":{"projects":null},"errors":[{"message":"first and last must not be negative",)"
            R"("locations":[{"line":1,"column":3}],"path":["projects"]}]})");
}

}  // namespace
}  // namespace towline::control::graphql
