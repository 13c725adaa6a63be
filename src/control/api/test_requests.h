#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "control/store/database.h"
#include "control/store/user_table.h"
#include "control/test_plane.h"

namespace towline::control {

/// A route of the API by method and pattern.
using RouteKey = std::pair<std::string, std::string>;

/// Makes for every route of the API a request that succeeds when the caller may make it. The administrator
/// makes what the request needs, anew for each, so that a request can take away what it names.
class RequestsTest : public PlaneTest {
 protected:
  explicit RequestsTest(std::string visibility_of_all) : visibility(std::move(visibility_of_all)) {
    group = id_of(make("/groups", R"({"name":"NAME","path":"NAME",)" + visible()));
    project = id_of(make("/projects", R"({"name":"NAME",)" + in_group() + visible()));
    const std::string at = "/projects/" + std::to_string(project);
    put_file(std::to_string(project), "README.md", "text", root.token);
    expect(204, "DELETE", at + "/protected_branches/main", root.token);
  }

  /// The route's path with something real in place of each part that has a name.
  std::string path_for(const RouteKey& key) {
    const auto& [method, pattern] = key;
    if (pattern.starts_with("/users/:id")) return "/users/" + make_pawn() + pattern.substr(10);
    if (method == "DELETE" && pattern == "/groups/:id") return make_group_inside();
    if (method == "DELETE" && pattern == "/projects/:id")
      return make("/projects", R"({"name":"NAME",)" + in_group() + visible());
    if (pattern.starts_with("/groups/:id")) return fill("/groups/" + std::to_string(group), pattern, method);
    if (pattern.starts_with("/projects/:id"))
      return fill("/projects/" + std::to_string(project), pattern, method);
    return pattern;
  }

  /// The body for the route; "" for none.
  std::string body_for(const RouteKey& key) {
    const auto found = bodies().find(key);
    return found == bodies().end() ? "" : with_names(found->second);
  }

  std::string visibility;
  std::int64_t group = 0;
  std::int64_t project = 0;  // in the group, with a README.md on a branch that is not protected

 private:
  // In each, NAME is a name of its own and USER the number of a user of its own.
  static const std::map<RouteKey, std::string>& bodies() {
    static const std::string kCommit = R"({"branch":"main","commit_message":"m")";
    static const std::string kFile = "/projects/:id/repository/files/*file_path";
    static const std::string kScoped = R"({"name":"NAME","scopes":["read_api"],"access_level":10})";
    static const std::string kNamed = R"({"name":"NAME"})";
    static const std::string kMember = R"({"user_id":USER,"access_level":10})";
    static const std::map<RouteKey, std::string> kBodies = {
        {{"POST", "/projects"}, kNamed},
        {{"POST", "/groups"}, R"({"name":"NAME","path":"NAME"})"},
        {{"POST", "/user/personal_access_tokens"}, kScoped},
        {{"POST", "/users/:id/personal_access_tokens"}, kScoped},
        {{"PUT", "/user/password"}, R"({"current_password":"correct horse","password":"correct horse"})"},
        {{"POST", "/users"},
         R"({"username":"NAME","name":"NAME","email":"NAME@example.com","password":"correct horse"})"},
        {{"POST", "/projects/:id/members"}, kMember},
        {{"POST", "/groups/:id/members"}, kMember},
        {{"PUT", "/projects/:id/members/:user_id"}, R"({"access_level":20})"},
        {{"PUT", "/groups/:id/members/:user_id"}, R"({"access_level":20})"},
        {{"POST", kFile}, kCommit + R"(,"content":"NAME"})"},
        {{"PUT", kFile}, kCommit + R"(,"content":"NAME"})"},
        {{"DELETE", kFile}, kCommit + "}"},
        {{"POST", "/projects/:id/repository/commits"},
         kCommit + R"(,"actions":[{"action":"create","file_path":"NAME","content":"c"}]})"},
        {{"POST", "/projects/:id/repository/branches"}, R"({"branch":"NAME","ref":"main"})"},
        {{"POST", "/projects/:id/cluster_agents"}, kNamed},
        {{"POST", "/projects/:id/cluster_agents/:agent_id/tokens"}, kNamed},
        {{"POST", "/projects/:id/cluster_agents/:agent_id/url_configurations"}, kReceptive},
        {{"POST", "/projects/:id/environments"}, kNamed},
        {{"POST", "/projects/:id/protected_branches"}, kNamed},
        {{"POST", "/projects/:id/access_tokens"}, kScoped}};
    return kBodies;
  }

  std::string visible() const { return R"("visibility":")" + visibility + "\"}"; }
  std::string in_group() const { return R"("namespace_id":)" + std::to_string(group) + ","; }
  std::string make_group_inside() {
    return make("/groups",
                R"({"name":"NAME","path":"NAME","parent_id":)" + std::to_string(group) + "," + visible());
  }

  static std::int64_t id_of(const std::string& path) { return std::stoll(path.substr(path.rfind('/') + 1)); }

  std::string new_name() { return "n" + std::to_string(++names_); }

  // A user without a password, rights or a namespace; by hand, because hashing passwords takes long.
  std::string make_pawn() {
    const std::string name = new_name();
    auto id = db->write([&](soci::session& sql) {
      return UserTable(sql).create({.username = name, .name = name, .email = name + "@example.com"}, "!");
    });
    EXPECT_TRUE(id.has_value());
    return std::to_string(id.value_or(0));
  }

  std::string with_names(std::string body) {
    const std::string name = new_name();
    for (auto at = body.find("NAME"); at != std::string::npos; at = body.find("NAME"))
      body.replace(at, 4, name);
    const auto at = body.find("USER");
    if (at != std::string::npos) body.replace(at, 4, make_pawn());
    return body;
  }

  // Adds an element to a list by the API; gives its path.
  std::string make(const std::string& list, const std::string& body) {
    const auto made = expect(201, "POST", list, root.token, with_names(body));
    return list + "/" + std::to_string(made.at("id").as_int64());
  }
  // The same where elements have no numbers.
  std::string make_named(const std::string& list, const std::string& field, const std::string& rest) {
    const std::string name = new_name();
    expect(201, "POST", list, root.token, "{\"" + field + "\":\"" + name + "\"" + rest + "}");
    return list + "/" + name;
  }

  // `rest` is what is still to be filled in; what stands before a part is the list in which it is made.
  std::string fill(const std::string& start, const std::string& pattern, const std::string& method) {
    std::string path = start;
    std::string rest = pattern.substr(pattern.find(":id") + 3);
    for (auto at = rest.find_first_of(":*"); at != std::string::npos; at = rest.find_first_of(":*")) {
      const auto end = std::min(rest.find('/', at), rest.size());
      path = make_part(path + rest.substr(0, at - 1), rest.substr(at, end - at), method);
      rest.erase(0, end);
    }
    return path + rest;
  }

  std::string make_part(const std::string& list, const std::string& part, const std::string& method) {
    if (part == ":agent_id") return make(list, R"({"name":"NAME"})");
    if (part == ":url_id") return make(list, kReceptive);
    if (part == ":token_id") return make(list, R"({"name":"NAME","scopes":["api"],"access_level":10})");
    if (part == ":user_id") return make(list, R"({"user_id":USER,"access_level":10})");
    if (part == "*branch") return make_named(list, "branch", R"(,"ref":"main")");
    if (part == "*name") return make_named(list, "name", "");
    if (part == "*sha") return list + "/main";
    if (part == "*file_path") {
      const std::string name = new_name();
      if (method != "POST") put_file(std::to_string(project), name, "text", root.token);
      return list + "/" + name;
    }
    EXPECT_EQ(part, ":environment_id") << "say here how to make one";
    const std::string environment = make(list, R"({"name":"NAME"})");
    if (method == "DELETE") expect(200, "POST", environment + "/stop", root.token);
    return environment;
  }

  static constexpr const char* kReceptive = R"({"url":"grpcs://agent.example.com:443"})";
  int names_ = 0;
};

}  // namespace towline::control
