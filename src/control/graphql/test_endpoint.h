#pragma once

#include <string>
#include <vector>

#include "control/graphql/endpoint.h"
#include "control/test_plane.h"

namespace towline::control::graphql {

/// A server with the project root/demo and its agent "a".
class EndpointTest : public PlaneTest {
 protected:
  EndpointTest() : endpoint(core, api.guard()) {
    make_project("demo", root);
    agent_id = expect(201, "POST", "/projects/root%2Fdemo/cluster_agents", root.token, R"({"name":"a"})")
                   .at("id")
                   .as_int64();
  }

  http::Response post(const std::string& body, const std::string& token, http::Headers headers = {}) {
    http::Request request{
        .head = {.method = "POST", .target = "/api/graphql"}, .body = body, .peer = "192.0.2.1:1"};
    request.head.headers = std::move(headers);
    if (!token.empty()) request.head.headers.add("private-token", token);
    if (!request.head.headers.has("content-type"))
      request.head.headers.add("content-type", "application/json");
    return endpoint.answer(request);
  }
  http::Response ask(const std::string& query, const std::string& token, boost::json::object variables = {},
                     http::Headers headers = {}) {
    return post(
        boost::json::serialize(boost::json::object{{"query", query}, {"variables", std::move(variables)}}),
        token, std::move(headers));
  }
  http::Response get(const std::string& target, const std::string& token, const std::string& method = "GET") {
    http::Request request{.head = {.method = method, .target = target}, .peer = "192.0.2.1:1"};
    if (!token.empty()) request.head.headers.add("private-token", token);
    return endpoint.answer(request);
  }
  // The data of an answer without errors.
  boost::json::value data(const std::string& query, const std::string& token,
                          boost::json::object variables = {}) {
    const auto response = ask(query, token, std::move(variables));
    EXPECT_EQ(response.status, 200) << response.body;
    const auto answer = PlaneTest::json(response).as_object();
    EXPECT_FALSE(answer.contains("errors")) << response.body;
    return answer.at("data");
  }
  static std::string error(const http::Response& response) {
    return std::string(PlaneTest::json(response).at("errors").at(0).at("message").as_string());
  }
  // One field of the agent, for whoever asks.
  std::string of_agent(const std::string& fields, const std::string& token) {
    const auto found =
        data("{ project(fullPath: \"root/demo\") { clusterAgent(name: \"a\") { " + fields + " } } }", token);
    return boost::json::serialize(found.at("project").at("clusterAgent"));
  }
  std::string gid() const { return "gid://gitlab/Clusters::Agent/" + std::to_string(agent_id); }
  void add_member(const Person& person, int level) {
    expect(201, "POST", "/projects/root%2Fdemo/members", root.token,
           boost::json::serialize(boost::json::object{{"user_id", person.id}, {"access_level", level}}));
  }
  std::vector<std::string> audited() {
    std::vector<std::string> all;
    const auto noted = expect(200, "GET", "/audit_events", root.token);
    for (const auto& each : noted.as_array()) {
      all.push_back(std::string(each.at("action").as_string()) + " " +
                    std::string(each.at("target").as_string()));
    }
    return all;
  }

  Endpoint endpoint;
  std::int64_t agent_id = 0;
};

}  // namespace towline::control::graphql
