#include <gmock/gmock.h>

#include "control/graphql/test_endpoint.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class GraphqlResourcesTest : public EndpointTest {};

TEST_F(GraphqlResourcesTest, KnowsTheCallerAndTheServer) {
  EXPECT_EQ(
      json::serialize(
          data("{ currentUser { id username name email webUrl } metadata { version revision enterprise "
               "kas { enabled externalUrl externalK8sProxyUrl version } } }",
               root.token)),
      R"({"currentUser":{"id":"gid://gitlab/User/1","username":"root","name":"root","email":"root@example.com",)"
      R"("webUrl":"https://towline.test/root"},"metadata":{"version":"17.0.0","revision":"towline",)"
      R"("enterprise":false,"kas":{"enabled":true,"externalUrl":"wss://towline.test/-/kubernetes-agent/",)"
      R"("externalK8sProxyUrl":"https://towline.test/-/kubernetes-agent/k8s-proxy/","version":"17.0.0"}}})");
  EXPECT_EQ(json::serialize(data("{ currentUser { id } metadata { version } }", "")),
            R"({"currentUser":null,"metadata":null})");
}

TEST_F(GraphqlResourcesTest, KnowsProjectsAndGroups) {
  const std::string query =
      "{ project(fullPath: \"root/demo\") { id fullPath name description visibility webUrl createdAt "
      "repository { rootRef } userPermissions { readClusterAgent createClusterAgent adminClusterAgent } } }";
  EXPECT_EQ(
      json::serialize(data(query, root.token).at("project")),
      R"({"id":"gid://gitlab/Project/1","fullPath":"root/demo","name":"demo","description":"",)"
      R"("visibility":"private","webUrl":"https://towline.test/root/demo",)"
      R"("createdAt":"2024-10-04T00:00:00.000Z","repository":{"rootRef":null},)"
      R"("userPermissions":{"readClusterAgent":true,"createClusterAgent":true,"adminClusterAgent":true}})");
  put_file("root%2Fdemo", "a", "b", root.token);
  EXPECT_EQ(data(query, root.token).at("project").at("repository").at("rootRef"), "main");
  expect(201, "POST", "/groups", root.token, R"({"name":"Tools","path":"tools","visibility":"private"})");
  const std::string group = "{ group(fullPath: \"Tools\") { id fullPath name } }";
  EXPECT_EQ(json::serialize(data(group, root.token)),
            R"({"group":{"id":"gid://gitlab/Group/2","fullPath":"tools","name":"Tools"}})");
  EXPECT_TRUE(data(group, "").at("group").is_null());
  EXPECT_TRUE(data("{ project(fullPath: \"1\") { id } }", root.token).at("project").is_null());
}

TEST_F(GraphqlResourcesTest, ListsProjectsThatOneMaySee) {
  make_project("open", root, R"(,"visibility":"public")");
  const std::string query =
      "query ($first: Int, $search: String) { projects(first: $first, search: $search) "
      "{ count nodes { fullPath clusterAgents { count } } pageInfo { hasNextPage } } }";
  EXPECT_EQ(
      json::serialize(data(query, root.token, {{"first", 1}}).at("projects")),
      R"({"count":2,"nodes":[{"fullPath":"root/open","clusterAgents":{"count":0}}],"pageInfo":{"hasNextPage":true}})");
  EXPECT_EQ(
      json::serialize(data(query, root.token, {{"search", "emo"}}).at("projects")),
      R"({"count":1,"nodes":[{"fullPath":"root/demo","clusterAgents":{"count":1}}],"pageInfo":{"hasNextPage":false}})");
  EXPECT_EQ(
      json::serialize(data(query, "").at("projects")),
      R"({"count":1,"nodes":[{"fullPath":"root/open","clusterAgents":null}],"pageInfo":{"hasNextPage":false}})");
}

TEST_F(GraphqlResourcesTest, KnowsAgents) {
  EXPECT_EQ(
      of_agent(
          "id name createdAt updatedAt webPath isReceptive project { fullPath } createdByUser { username } "
          "warnings { code }",
          root.token),
      R"({"id":")" + gid() +
          R"(","name":"a","createdAt":"2024-10-04T00:00:00.000Z","updatedAt":"2024-10-04T00:00:00.000Z",)"
          R"("webPath":"/root/demo/-/cluster_agents/a","isReceptive":false,"project":{"fullPath":"root/demo"},)"
          R"("createdByUser":{"username":"root"},"warnings":[]})");
  EXPECT_TRUE(data("{ project(fullPath: \"root/demo\") { clusterAgent(name: \"b\") { id } } }", root.token)
                  .at("project")
                  .at("clusterAgent")
                  .is_null());
  for (const char* name : {"b", "c"}) {
    expect(201, "POST", "/projects/root%2Fdemo/cluster_agents", root.token,
           json::serialize(json::object{{"name", name}}));
  }
  const std::string page =
      "query ($after: String) { project(fullPath: \"root/demo\") { clusterAgents(first: 2, after: $after) { "
      "count "
      "edges { node { name } } pageInfo { endCursor hasNextPage } } } }";
  const auto first = data(page, root.token).at("project").at("clusterAgents");
  EXPECT_EQ(json::serialize(first.at("edges")), R"([{"node":{"name":"a"}},{"node":{"name":"b"}}])");
  EXPECT_EQ(first.at("count"), 3);
  const auto second = data(page, root.token, {{"after", first.at("pageInfo").at("endCursor")}});
  EXPECT_EQ(json::serialize(second.at("project").at("clusterAgents").at("edges")),
            R"([{"node":{"name":"c"}}])");
}

TEST_F(GraphqlResourcesTest, KnowsConnectionsAndActivity) {
  usage.agent_seen({.agent_id = agent_id,
                    .connection_id = 5000000000000000000,
                    .version = "v16.0.0",
                    .commit_id = "abc",
                    .pod_namespace = "ns",
                    .pod_name = "pod-1"});
  EXPECT_EQ(
      of_agent("connections { count nodes { connectionId connectedAt metadata { version commit podNamespace "
               "podName } } } warnings { code message }",
               root.token),
      R"({"connections":{"count":1,"nodes":[{"connectionId":"5000000000000000000",)"
      R"("connectedAt":"2024-10-04T00:00:00.000Z","metadata":{"version":"v16.0.0","commit":"abc",)"
      R"("podNamespace":"ns","podName":"pod-1"}}]},"warnings":[{"code":"version_mismatch","message":)"
      R"("The agent has version v16.0.0 and the server 17.0.0: upgrade the agent to the same major.minor."}]})");
  expect(201, "POST", "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent_id) + "/tokens",
         root.token, R"({"name":"t"})");
  EXPECT_EQ(of_agent("activityEvents(first: 1) { count nodes { kind level recordedAt user { username } "
                     "agentToken { name "
                     "clusterAgent { name } } } }",
                     root.token),
            R"({"activityEvents":{"count":3,"nodes":[{"kind":"token_created","level":"info",)"
            R"("recordedAt":"2024-10-04T00:00:00.000Z","user":{"username":"root"},)"
            R"("agentToken":{"name":"t","clusterAgent":{"name":"a"}}}]}})");
  EXPECT_EQ(of_agent("activityEvents(last: 1) { nodes { kind agentToken { id } } }", root.token),
            R"({"activityEvents":{"nodes":[{"kind":"agent_created","agentToken":null}]}})");
  put_file("root%2Fdemo", ".gitlab%2Fagents%2Fa%2Fconfig.yaml", "observability: {logging: {level: loud}}\n",
           root.token);
  expect(200, "GET", "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent_id) + "/configuration",
         root.token);
  EXPECT_EQ(of_agent("activityEvents(first: 1) { nodes { kind level } }", root.token),
            R"({"activityEvents":{"nodes":[{"kind":"configuration_refused","level":"error"}]}})");
}

TEST_F(GraphqlResourcesTest, ChangesAgentsAndTokens) {
  const auto made =
      data(
          "mutation ($input: CreateClusterAgentInput!) { createClusterAgent(input: $input) { "
          "clientMutationId errors clusterAgent { id name } } }",
          root.token,
          {{"input", {{"projectPath", "root/demo"}, {"name", "new"}, {"clientMutationId", "m1"}}}})
          .at("createClusterAgent");
  EXPECT_EQ(made.at("clientMutationId"), "m1");
  EXPECT_EQ(made.at("errors").as_array().size(), 0U);
  EXPECT_EQ(made.at("clusterAgent").at("name"), "new");
  const auto id = made.at("clusterAgent").at("id");
  const auto token =
      data(
          "mutation ($id: ClustersAgentID!) { clusterAgentTokenCreate(input: {clusterAgentId: $id, name: "
          "\"t\", description: \"d\"}) { secret errors token { id name description status createdAt "
          "lastUsedAt createdByUser { username } clusterAgent { name } } } }",
          root.token, {{"id", id}})
          .at("clusterAgentTokenCreate");
  EXPECT_THAT(std::string(token.at("secret").as_string()), StartsWith("glagent-"));
  const auto token_id = token.at("token").at("id");
  EXPECT_THAT(std::string(token_id.as_string()), StartsWith("gid://gitlab/Clusters::AgentToken/"));
  EXPECT_EQ(token.at("token").at("status"), "ACTIVE");
  EXPECT_TRUE(token.at("token").at("lastUsedAt").is_null());
  const std::string revoke =
      "mutation ($id: ClustersAgentTokenID!) { clusterAgentTokenRevoke(input: {id: $id}) { errors } }";
  EXPECT_EQ(json::serialize(data(revoke, root.token, {{"id", token_id}})),
            R"({"clusterAgentTokenRevoke":{"errors":[]}})");
  EXPECT_THAT(error(ask(revoke, root.token, {{"id", token_id}})), HasSubstr("does not exist"));
  const std::string tokens =
      "{ project(fullPath: \"root/demo\") { clusterAgent(name: \"new\") { all: tokens { nodes { name "
      "description status } } "
      "active: tokens(status: ACTIVE) { count } revoked: tokens(status: REVOKED) { count } } } }";
  EXPECT_EQ(json::serialize(data(tokens, root.token).at("project").at("clusterAgent")),
            R"({"all":{"nodes":[{"name":"t","description":"d","status":"REVOKED"}]},"active":{"count":0},)"
            R"("revoked":{"count":1}})");
  EXPECT_EQ(json::serialize(
                data("mutation ($id: ClustersAgentID!) { clusterAgentDelete(input: {id: $id}) { errors } }",
                     root.token, {{"id", id}})),
            R"({"clusterAgentDelete":{"errors":[]}})");
  expect(404, "GET", "/projects/root%2Fdemo/cluster_agents/2", root.token);
  const auto notes = audited();
  ASSERT_GE(notes.size(), 4U);
  EXPECT_EQ(notes[0], "graphql clusterAgentDelete " + std::string(id.as_string()));
  EXPECT_EQ(notes[1], "graphql clusterAgentTokenRevoke " + std::string(token_id.as_string()));
  EXPECT_EQ(notes[2], "graphql clusterAgentTokenCreate " + std::string(token_id.as_string()));
  EXPECT_EQ(notes[3], "graphql createClusterAgent " + std::string(id.as_string()));
}

TEST_F(GraphqlResourcesTest, WhatBreaksARuleStandsInThePayload) {
  const std::size_t before = audited().size();
  const auto create = [&](const std::string& name) {
    return json::serialize(
        data("mutation ($n: String!) { createClusterAgent(input: {projectPath: \"root/demo\", name: $n}) "
             "{ errors clusterAgent { id } } }",
             root.token, {{"n", name}})
            .at("createClusterAgent"));
  };
  EXPECT_EQ(create("a"),
            R"({"errors":["name \"a\" has already been taken in this project"],"clusterAgent":null})");
  EXPECT_THAT(create("No Name"), HasSubstr("\"clusterAgent\":null"));
  const std::string token = "mutation { clusterAgentTokenCreate(input: {clusterAgentId: \"" + gid() +
                            "\", name: \"t\"}) { errors secret token { id } } }";
  data(token, root.token);
  data(token, root.token);
  EXPECT_EQ(
      json::serialize(data(token, root.token).at("clusterAgentTokenCreate")),
      R"({"errors":["an agent can have only two active tokens: revoke one first"],"secret":null,"token":null})");
  EXPECT_EQ(audited().size(), before + 2);
  const auto response = ask(
      "mutation { a: clusterAgentDelete(input: {id: \"gid://gitlab/Project/1\"}) { errors } }", root.token);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(error(response), HasSubstr("is not an id of the form gid://gitlab/Clusters::Agent/1"));
  EXPECT_TRUE(PlaneTest::json(response).at("data").at("a").is_null());
}

TEST_F(GraphqlResourcesTest, RolesAreThoseOfTheRestApi) {
  const auto stranger = add_user("stranger");
  const auto reporter = add_user("reporter");
  const auto developer = add_user("developer");
  const auto maintainer = add_user("maintainer");
  add_member(reporter, 20);
  add_member(developer, 30);
  add_member(maintainer, 40);
  const std::string query =
      "{ project(fullPath: \"root/demo\") { clusterAgent(name: \"a\") { name } clusterAgents { count } "
      "userPermissions { readClusterAgent adminClusterAgent } } }";
  EXPECT_EQ(json::serialize(data(query, stranger.token)), R"({"project":null})");
  EXPECT_EQ(json::serialize(data(query, "")), R"({"project":null})");
  EXPECT_EQ(
      json::serialize(data(query, reporter.token).at("project")),
      R"({"clusterAgent":null,"clusterAgents":null,"userPermissions":{"readClusterAgent":false,"adminClusterAgent":false}})");
  EXPECT_EQ(
      json::serialize(data(query, developer.token).at("project")),
      R"({"clusterAgent":{"name":"a"},"clusterAgents":{"count":1},"userPermissions":{"readClusterAgent":true,"adminClusterAgent":false}})");
  const std::string remove = "mutation { clusterAgentDelete(input: {id: \"" + gid() + "\"}) { errors } }";
  const std::string add =
      "mutation { createClusterAgent(input: {projectPath: \"root/demo\", name: \"x\"}) { errors } }";
  for (const std::string& token : {std::string(), stranger.token, reporter.token, developer.token}) {
    for (const std::string& mutation : {remove, add}) {
      const auto response = ask(mutation, token);
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(error(response), "This does not exist, or you may not change it");
    }
  }
  EXPECT_EQ(of_agent("createdByUser { email }", developer.token), R"({"createdByUser":{"email":null}})");
  data(add, maintainer.token);
  data(remove, maintainer.token);
}

}  // namespace
}  // namespace towline::control::graphql
