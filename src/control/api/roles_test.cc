// Who may what: every route of the API with every kind of caller, on projects of every visibility.
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "control/api/openapi.h"
#include "control/api/test_requests.h"
#include "control/store/database.h"
#include "control/store/member_table.h"

namespace towline::control {
namespace {

using Key = RouteKey;

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
    add(Least::kDeveloper, "POST", agents + "/:agent_id/doctor");
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
  static const std::set<Key> kPersonal = {{"POST", "/session"},
                                          {"GET", "/session"},
                                          {"DELETE", "/session"},
                                          {"PUT", "/user/password"},
                                          {"GET", "/personal_access_tokens/:id"},
                                          {"DELETE", "/personal_access_tokens/:id"},
                                          {"DELETE", "/personal_access_tokens/self"},
                                          {"GET", "/users/:id/personal_access_tokens"}};
  return kPersonal.contains(key);
}

struct Actor {
  std::string name;
  std::string token;  // empty: none
  Role role = Role::kNone;
  bool admin = false;
  bool reads_only = false;
};

class RolesTest : public RequestsTest, public ::testing::WithParamInterface<const char*> {
 protected:
  RolesTest() : RequestsTest(GetParam()) {
    actors.push_back({.name = "nobody"});
    add_actor("stranger", add_user("stranger"), {});
    for (const NamedRole& each : kRoles) {
      const Person person = add_user(std::string(each.name));
      EXPECT_TRUE(db->write([&](soci::session& sql) {
                      MemberTable(sql).add(person.id, {.namespace_id = group}, each.role, core.now());
                    }).ok());
      add_actor(std::string(each.name), person, {.role = each.role});
    }
    add_actor("administrator", root, {.role = Role::kOwner, .admin = true});
  }

  // With a token for everything, and with one for reading.
  void add_actor(const std::string& name, const Person& person, Actor actor) {
    actor.name = name;
    actor.token = person.token;
    actors.push_back(actor);
    actor.name += " with read_api";
    actor.token = add_token(person.id, {"read_api"});
    actor.reads_only = true;
    actors.push_back(actor);
  }

  // 401, 403, 404, or 200 for any success.
  int expected(const Key& key, Least least, const Actor& actor) const {
    const bool nobody = actor.token.empty();
    const bool open_route = least == Least::kAnybody || route_is_open(key);
    if (nobody && !open_route) return 401;
    if (actor.reads_only && !reads(key)) return 403;
    if (least <= Least::kUser) return 200;
    if (least == Least::kAdmin) return actor.admin ? 200 : 403;
    const bool visible =
        actor.role != Role::kNone || visibility == "public" || (visibility == "internal" && !nobody);
    if (!visible) return 404;
    if (least == Least::kVisible) return 200;
    if (least == Least::kCode) return visibility != "private" || actor.role >= Role::kReporter ? 200 : 403;
    static const std::map<Least, Role> kNeeded = {{Least::kGuest, Role::kGuest},
                                                  {Least::kReporter, Role::kReporter},
                                                  {Least::kDeveloper, Role::kDeveloper},
                                                  {Least::kMaintainer, Role::kMaintainer},
                                                  {Least::kOwner, Role::kOwner}};
    return actor.role >= kNeeded.at(least) ? 200 : 403;
  }
  static bool reads(const Key& key) { return key.first == "GET" || key.first == "HEAD"; }
  static bool route_is_open(const Key& key) {
    for (const auto& routes : api::all_routes()) {
      for (const api::Route& route : routes) {
        if (Key(route.method, route.pattern) == key) return route.need == api::Need::kNobody;
      }
    }
    return false;
  }

  void ask_all(const Key& key, Least least) {
    std::string path;
    for (const Actor& actor : actors) {
      if (path.empty()) path = path_for(key);
      const int wanted = expected(key, least, actor);
      const auto response = call(key.first, path, actor.token, body_for(key));
      const int got = response.status / 100 == 2 ? 200 : response.status;
      EXPECT_EQ(got, wanted) << actor.name << " " << key.first << " " << path << " on a " << visibility
                             << " project: " << response.body;
      if (got == 200 && !reads(key)) path.clear();  // used up
    }
  }

  std::vector<Actor> actors;
};

TEST_P(RolesTest, DecideEveryRoute) {
  std::set<Key> seen;
  for (const auto& routes : api::all_routes()) {
    for (const api::Route& route : routes) {
      const Key key(route.method, route.pattern);
      if (is_personal(key)) continue;
      const auto row = table().find(key);
      ASSERT_NE(row, table().end()) << "say in table() who may " << key.first << " " << key.second;
      seen.insert(key);
      ask_all(key, row->second);
    }
  }
  for (const auto& [key, least] : table()) {
    EXPECT_TRUE(seen.contains(key)) << "no such route: " << key.first << " " << key.second;
  }
}

INSTANTIATE_TEST_SUITE_P(Visibilities, RolesTest, ::testing::Values("private", "internal", "public"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace towline::control
