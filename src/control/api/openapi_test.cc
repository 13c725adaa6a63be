#include "control/api/openapi.h"

#include <set>

#include <gmock/gmock.h>

#include "control/test_plane.h"

namespace towline::control {
namespace {

using OpenApiTest = PlaneTest;

// "name|scopes" of "name! scopes!:array expires_at".
std::string needed_names(std::string_view parameters) {
  std::string names;
  for (auto mark = parameters.find('!'); mark != std::string_view::npos; mark = parameters.find('!')) {
    const auto space = parameters.rfind(' ', mark);
    const auto begin = space == std::string_view::npos ? 0 : space + 1;
    names += (names.empty() ? "" : "|") + std::string(parameters.substr(begin, mark - begin));
    parameters.remove_prefix(mark + 1);
  }
  return names;
}

TEST_F(OpenApiTest, DescribesEveryRoute) {
  const auto description = expect(200, "GET", "/openapi.json");
  EXPECT_EQ(description.at("openapi"), "3.1.0");
  EXPECT_EQ(description.at("servers").at(0).at("url"), "https://towline.test/api/v4");
  std::size_t operations = 0;
  for (const auto& path : description.at("paths").as_object()) operations += path.value().as_object().size();
  std::size_t routes = 0;
  for (const auto& table : api::all_routes()) {
    for (const api::Route& route : table) {
      ++routes;
      EXPECT_FALSE(route.summary.empty()) << route.method << " " << route.pattern;
    }
  }
  EXPECT_EQ(operations, routes);
}

TEST_F(OpenApiTest, NamesPathQueryAndBodyParameters) {
  const auto description = expect(200, "GET", "/openapi.json");
  const auto& agents = description.at("paths").at("/projects/{id}/cluster_agents");
  const auto& create = agents.at("post").at("requestBody").at("content").at("application/json").at("schema");
  EXPECT_EQ(create.at("required").at(0), "name");
  EXPECT_EQ(agents.at("get").at("parameters").at(0).at("in"), "path");
  EXPECT_EQ(agents.at("get").at("parameters").at(1).at("name"), "with_status");
  EXPECT_EQ(agents.at("get").at("parameters").at(1).at("schema").at("type"), "boolean");
  EXPECT_TRUE(
      description.at("paths").as_object().contains("/projects/{id}/repository/files/{file_path}/raw"));
}

// What is described as needed is asked for, by name.
TEST_F(OpenApiTest, ParametersThatAreNeededAreRefusedByNameWhenTheyAreMissing) {
  const auto project = std::to_string(make_project("demo", root));
  put_file("root%2Fdemo", "f", "x", root.token);
  const auto agent = std::to_string(
      expect(201, "POST", "/projects/root%2Fdemo/cluster_agents", root.token, R"({"name":"a"})")
          .at("id")
          .as_int64());
  expect(201, "POST", "/groups", root.token, R"({"name":"g","path":"g"})");
  std::size_t checked = 0;
  for (const auto& table : api::all_routes()) {
    for (const api::Route& route : table) {
      const std::string needed = needed_names(route.parameters);
      if (needed.empty() || route.need == api::Need::kPassword) continue;  // a token does not get that far
      std::string path(route.pattern);
      const auto put = [&](const std::string& part, const std::string& value) {
        const auto at = path.find(part);
        if (at != std::string::npos) path.replace(at, part.size(), value);
      };
      put(":agent_id", agent);
      put(":user_id", std::to_string(root.id));
      put("*file_path", "f");
      put(":id", path.starts_with("/groups")  ? "g"
                 : path.starts_with("/users") ? std::to_string(root.id)
                                              : project);
      const auto response = call(std::string(route.method), path, root.token, "{}");
      EXPECT_EQ(response.status, 400) << route.method << " " << route.pattern << ": " << response.body;
      EXPECT_THAT(response.body, ::testing::ContainsRegex("(" + needed + ") (is|are) missing"))
          << route.method << " " << route.pattern;
      ++checked;
    }
  }
  EXPECT_GT(checked, 15U);
}

}  // namespace
}  // namespace towline::control
