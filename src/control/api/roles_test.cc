// Who may what: every route of the API with every kind of caller, on projects of every visibility.
#include <map>

#include <gmock/gmock.h>

#include "control/api/openapi.h"
#include "control/store/database.h"
#include "control/store/member_table.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using Key = std::pair<std::string, std::string>;

// The least that a caller must be. kCode: a reporter, or anybody who sees a project that is not private.
enum class Least {
  kAnybody,
  kUser,
  kAdmin,
  kVisible,
  kCode,
  kGuest,
  kReporter,
  kDeveloper,
  kMaintainer,
  kOwner
};

const std::map<Key, Least>& table() {
  static const std::map<Key, Least> kTable = [] {
    std::map<Key, Least> all;
    const auto add = [&](Least least, const std::string& method, const std::string& path) {
      all[{method, path}] = least;
    };
    const auto read = [&](Least least, const std::string& path) { add(least, "GET", path); };
    read(Least::kAnybody, "/openapi.json");
    read(Least::kAnybody, "/projects");
    read(Least::kAnybody, "/groups");
    for (const char* path : {"/metadata", "/version", "/user", "/users", "/users/:id",
                             "/personal_access_tokens", "/personal_access_tokens/self", "/namespaces"}) {
      read(Least::kUser, path);
    }
    add(Least::kUser, "POST", "/projects");
    add(Least::kUser, "POST", "/groups");
    add(Least::kUser, "POST", "/user/personal_access_tokens");
    add(Least::kUser, "PUT", "/user/password");
    read(Least::kAdmin, "/audit_events");
    for (const char* path :
         {"/users", "/users/:id/block", "/users/:id/unblock", "/users/:id/personal_access_tokens"}) {
      add(Least::kAdmin, "POST", path);
    }
    for (const std::string in : {"/projects/:id", "/groups/:id"}) {
      read(Least::kVisible, in);
      add(Least::kOwner, "DELETE", in);
      read(Least::kVisible, in + "/members");
      read(Least::kVisible, in + "/members/all");
      read(Least::kVisible, in + "/members/:user_id");
      add(Least::kMaintainer, "POST", in + "/members");
      add(Least::kMaintainer, "PUT", in + "/members/:user_id");
      add(Least::kMaintainer, "DELETE", in + "/members/:user_id");
    }
    add(Least::kMaintainer, "PUT", "/projects/:id");
    add(Least::kOwner, "PUT", "/groups/:id");
    read(Least::kVisible, "/groups/:id/projects");
    read(Least::kVisible, "/groups/:id/subgroups");
    const std::string repository = "/projects/:id/repository";
    for (const char* path : {"/files/*file_path", "/files/*file_path/raw", "/tree", "/branches",
                             "/branches/*branch", "/commits", "/commits/*sha"}) {
      read(Least::kCode, repository + path);
    }
    add(Least::kCode, "HEAD", repository + "/files/*file_path");
    for (const char* method : {"POST", "PUT", "DELETE"}) {
      add(Least::kDeveloper, method, repository + "/files/*file_path");
    }
    add(Least::kDeveloper, "POST", repository + "/branches");
    add(Least::kDeveloper, "DELETE", repository + "/branches/*branch");
    add(Least::kDeveloper, "POST", repository + "/commits");
    const std::string agents = "/projects/:id/cluster_agents";
    for (const char* path :
         {"", "/configurations", "/:agent_id", "/:agent_id/connections", "/:agent_id/activity",
          "/:agent_id/configuration", "/:agent_id/tokens", "/:agent_id/tokens/:token_id",
          "/:agent_id/url_configurations", "/:agent_id/url_configurations/:url_id"}) {
      read(Least::kDeveloper, agents + path);
    }
    for (const char* path : {"", "/:agent_id/tokens", "/:agent_id/url_configurations"}) {
      add(Least::kMaintainer, "POST", agents + path);
    }
    for (const char* path :
         {"/:agent_id", "/:agent_id/tokens/:token_id", "/:agent_id/url_configurations/:url_id"}) {
      add(Least::kMaintainer, "DELETE", agents + path);
    }
    const std::string environments = "/projects/:id/environments";
    read(Least::kReporter, environments);
    read(Least::kReporter, environments + "/:environment_id");
    add(Least::kDeveloper, "POST", environments);
    add(Least::kDeveloper, "PUT", environments + "/:environment_id");
    add(Least::kDeveloper, "POST", environments + "/:environment_id/stop");
    add(Least::kDeveloper, "DELETE", environments + "/:environment_id");
    const std::string branches = "/projects/:id/protected_branches";
    read(Least::kDeveloper, branches);
    read(Least::kDeveloper, branches + "/*name");
    add(Least::kMaintainer, "POST", branches);
    add(Least::kMaintainer, "DELETE", branches + "/*name");
    const std::string tokens = "/projects/:id/access_tokens";
    read(Least::kMaintainer, tokens);
    read(Least::kMaintainer, tokens + "/:token_id");
    add(Least::kMaintainer, "POST", tokens);
    add(Least::kMaintainer, "DELETE", tokens + "/:token_id");
    return all;
  }();
  return kTable;
}

// Routes about what is the caller's own; session_test.cc and api_test.cc have them.
bool is_personal(const Key& key) {
  return key.second.starts_with("/session") || key.second == "/personal_access_tokens/:id" ||
         key == Key{"GET", "/users/:id/personal_access_tokens"} ||
         key == Key{"DELETE", "/personal_access_tokens/self"};
}

struct Actor {
  std::string name;
  std::string token;  // empty: none
  Role role = Role::kNone;
  bool admin = false;
  bool reads_only = false;
};

class RolesTest : public PlaneTest, public ::testing::WithParamInterface<const char*> {
 protected:
  RolesTest() : visibility(GetParam()) {
    group = expect(201, "POST", "/groups", root.token,
                   R"({"name":"g","path":"g","visibility":")" + visibility + "\"}")
                .at("id")
                .as_int64();
    project = expect(201, "POST", "/projects", root.token,
                     R"({"name":"p","namespace_id":)" + std::to_string(group) + R"(,"visibility":")" +
                         visibility + "\"}")
                  .at("id")
                  .as_int64();
    actors.push_back({.name = "nobody"});
    actors.push_back({.name = "stranger", .token = add_user("stranger").token});
    for (const NamedRole& each : kRoles) {
      const Person person = add_user(std::string(each.name));
      EXPECT_TRUE(db->write([&](soci::session& sql) {
                      MemberTable(sql).add(person.id, {.namespace_id = group}, each.role, core.now());
                    }).ok());
      actors.push_back({.name = std::string(each.name), .token = person.token, .role = each.role});
      if (each.role == Role::kOwner) {
        actors.push_back({.name = "owner with read_api",
                          .token = add_token(person.id, {"read_api"}),
                          .role = each.role,
                          .reads_only = true});
      }
    }
    actors.push_back({.name = "administrator", .token = root.token, .role = Role::kOwner, .admin = true});
  }

  // A real path: what is not there is asked for, so that no call changes anything.
  std::string path_of(std::string pattern) const {
    const auto put = [&](const std::string& part, const std::string& value) {
      const auto at = pattern.find(part);
      if (at != std::string::npos) pattern.replace(at, part.size(), value);
    };
    for (const char* part : {":agent_id", ":token_id", ":url_id", ":environment_id", ":user_id"})
      put(part, "999999");
    for (const char* part : {"*file_path", "*branch", "*sha", "*name"}) put(part, "none");
    const bool in_group = pattern.starts_with("/groups");
    put(":id", in_group                        ? std::to_string(group)
               : pattern.starts_with("/users") ? "999999"
                                               : std::to_string(project));
    return pattern;
  }

  // 401, 403, 404, or 0 for being let through to what the request itself is worth.
  int expected(const Key& key, Least least, const Actor& actor) const {
    const bool nobody = actor.token.empty();
    const bool reads = key.first == "GET" || key.first == "HEAD";
    const bool open_route = least == Least::kAnybody || route_is_open(key);
    if (nobody && !open_route) return 401;
    if (actor.reads_only && !reads) return 403;
    if (least <= Least::kUser) return 0;
    if (least == Least::kAdmin) return actor.admin ? 0 : 403;
    const bool visible =
        actor.role != Role::kNone || visibility == "public" || (visibility == "internal" && !nobody);
    if (!visible) return 404;
    if (least == Least::kVisible) return 0;
    if (least == Least::kCode) return visibility != "private" || actor.role >= Role::kReporter ? 0 : 403;
    static const std::map<Least, Role> kNeeded = {{Least::kGuest, Role::kGuest},
                                                  {Least::kReporter, Role::kReporter},
                                                  {Least::kDeveloper, Role::kDeveloper},
                                                  {Least::kMaintainer, Role::kMaintainer},
                                                  {Least::kOwner, Role::kOwner}};
    return actor.role >= kNeeded.at(least) ? 0 : 403;
  }
  static bool route_is_open(const Key& key) {
    for (const auto& routes : api::all_routes()) {
      for (const api::Route& route : routes) {
        if (Key(route.method, route.pattern) == key) return route.need == api::Need::kNobody;
      }
    }
    return false;
  }

  std::string visibility;
  std::int64_t group = 0;
  std::int64_t project = 0;
  std::vector<Actor> actors;
};

TEST_P(RolesTest, DecideEveryRoute) {
  for (const auto& routes : api::all_routes()) {
    for (const api::Route& route : routes) {
      const Key key(route.method, route.pattern);
      if (is_personal(key)) continue;
      const auto row = table().find(key);
      ASSERT_NE(row, table().end()) << "say in table() who may " << key.first << " " << key.second;
      // Deleting would take away what the next actor is asked about, and making lasts; those have tests of
      // their own.
      const bool deletes_all =
          key.first == "DELETE" && (key.second == "/projects/:id" || key.second == "/groups/:id");
      for (const Actor& actor : actors) {
        const int wanted = expected(key, row->second, actor);
        if (deletes_all && wanted == 0) continue;
        const auto response = call(key.first, path_of(key.second), actor.token, "{}");
        const bool hidden =
            response.status == 404 && (response.body.find("Project Not Found") != std::string::npos ||
                                       response.body.find("Group Not Found") != std::string::npos);
        const int got = response.status == 401 || response.status == 403 ? response.status : hidden ? 404 : 0;
        // HEAD has no body to tell a hidden project by.
        const bool same = got == wanted || (key.first == "HEAD" && response.status == 404 && wanted == 404);
        EXPECT_TRUE(same) << actor.name << " " << key.first << " " << path_of(key.second) << " on a "
                          << visibility << " project: wanted " << wanted << ", got " << response.status << " "
                          << response.body;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Visibilities, RolesTest, ::testing::Values("private", "internal", "public"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace towline::control
