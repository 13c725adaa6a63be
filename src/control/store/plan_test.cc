#include <array>
#include <map>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"
#include "control/store/member_table.h"
#include "control/store/namespace_table.h"
#include "control/store/session_table.h"
#include "control/store/user_table.h"
#include "control/test_database.h"

namespace towline::control {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

// Notes the statements that tables run.
class Recorder final : public soci::logger_impl {
 public:
  explicit Recorder(std::vector<std::string>& statements) : statements_(statements) {}
  void start_query(const std::string& query) override { statements_.push_back(query); }

 private:
  logger_impl* do_clone() const override { return new Recorder(statements_); }
  std::vector<std::string>& statements_;
};

// 1,000 users, each with a namespace, a project, 5 agents with a token and a connection each, an access
// token, an environment and a membership in the next one's project; 10 projects are public. Half a group
// tree.
constexpr std::array<const char*, 14> kRows = {
    "users (username, name, email, state, admin, password_hash, created_at) SELECT 'u' || i, 'U', 'u' || i "
    "|| "
    "'@example.com', 'active', 0, '', 1 FROM n WHERE i <= 1000",
    "namespaces (kind, name, path, full_path, full_name, owner_id, description, visibility, created_at) "
    "SELECT 'user', 'U', 'u' || i, 'u' || i, 'U', i, '', 'private', 1 FROM n WHERE i <= 1000",
    "namespaces (kind, name, path, full_path, full_name, parent_id, description, visibility, created_at) "
    "SELECT 'group', 'G', 'g' || i, 'g' || i, 'G', CASE WHEN i > 500 THEN 1000 + i / 10 END, '', 'private', "
    "1 "
    "FROM n WHERE i <= 1000",
    "projects (namespace_id, name, path, full_path, description, visibility, default_branch, creator_id, "
    "created_at, last_activity_at) SELECT i, 'P', 'p', 'u' || i || '/p', '', CASE WHEN i % 100 = 0 THEN "
    "'public' ELSE 'private' END, 'main', i, 1, 1 FROM n WHERE i <= 1000",
    "members (user_id, project_id, access_level, created_at) SELECT i, 1 + i % 1000, 30, 1 FROM n WHERE i <= "
    "1000",
    "members (user_id, namespace_id, access_level, created_at) SELECT i, 1000 + i, 50, 1 FROM n WHERE i <= "
    "1000",
    "agents (project_id, name, created_by_user_id, created_at, last_contact_at) SELECT 1 + i / 5, 'a' || i, "
    "1, "
    "1, 1 FROM n WHERE i < 5000",
    "agent_tokens (agent_id, name, description, token_hash, created_by_user_id, created_at, last_used_at, "
    "revoked_at) SELECT i, 't', '', 'h' || i, 1, 1, 1, 0 FROM n WHERE i < 5000",
    "agent_connections (id, agent_id, version, commit_id, pod_namespace, pod_name, connected_at, "
    "last_seen_at) "
    "SELECT i, i, '', '', '', '', 1, 1000000 FROM n WHERE i < 5000",
    "agent_events (agent_id, kind, detail, user_id, token_id, recorded_at) SELECT i, 'k', '', 1, 1, 1 FROM n "
    "WHERE i < 5000",
    "personal_access_tokens (user_id, name, scopes, token_hash, created_at, expires_at, last_used_at, "
    "revoked_at) SELECT i, 't', 'api', 'h' || i, 1, 0, 1, 0 FROM n WHERE i <= 1000",
    "environments (project_id, name, slug, state, tier, external_url, description, kubernetes_namespace, "
    "flux_resource_path, created_at, updated_at) SELECT i, 'e', 'e', 'available', 'other', '', '', '', '', "
    "1, "
    "1 FROM n WHERE i <= 1000",
    "protected_branches (project_id, name, push_access_level, allow_force_push) SELECT i, 'main', 40, 0 FROM "
    "n "
    "WHERE i <= 1000",
    "sessions (user_id, token_hash, created_at, expires_at) SELECT i, 'h' || i, 1, 1000000 + i FROM n WHERE "
    "i "
    "<= 1000"};
const std::string kNumbers =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) ";

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    EXPECT_TRUE(db->write([&](soci::session& sql) {
                    for (const char* rows : kRows) sql << "INSERT INTO " << with_numbers(rows);
                    if (database.postgres()) sql << "ANALYZE";  // as autovacuum does after so many rows
                  }).ok());
  }
  // "table (columns) SELECT ..." with the numbers to select from.
  static std::string with_numbers(std::string rows) {
    const auto at = rows.find(") SELECT");
    return rows.insert(at + 2, kNumbers);
  }

  // The names of parameters, outside quotes, by values that exist.
  static std::string with_values(const std::string& statement) {
    static const std::map<std::string, std::string> kTexts = {
        {"username", "'u7'"},     {"pattern", "'%x%'"}, {"hash", "'h7'"},  {"path", "'u7/p'"},
        {"state", "'available'"}, {"name", "'e'"},      {"login", "'u7'"}, {"commit", "'c'"}};
    static const std::regex kName("('[^']*')|:([a-z_]+)");
    std::string out;
    auto rest = statement.cbegin();
    for (std::smatch match; std::regex_search(rest, statement.cend(), match, kName); rest = match[0].second) {
      out.append(rest, match[0].first);
      const auto text = kTexts.find(match[2]);
      out += match[1].matched ? match[1].str() : text != kTexts.end() ? text->second : "7";
    }
    return out.append(rest, statement.cend());
  }

  // SQLite plans without statistics, by what indexes there are. PostgreSQL weighs costs, and tables of this
  // size are read as a whole for little; without those ways of reading the plan shows where an index is
  // missing.
  std::string explain(soci::session& sql, const std::string& statement) {
    if (database.postgres()) {
      for (const char* way : {"seqscan", "hashjoin", "mergejoin"}) sql << "SET enable_" << way << " = off";
    }
    std::string plan;
    const std::string query =
        (database.postgres() ? "EXPLAIN (COSTS OFF) " : "EXPLAIN QUERY PLAN ") + with_values(statement);
    const soci::rowset<soci::row> rows = sql.prepare << query;
    for (const soci::row& row : rows) plan += row.get<std::string>(row.size() - 1) + "\n";
    return plan;
  }

  // The lines of a plan that read a whole large table: "SCAN agents" of SQLite, which names a table by its
  // alias, and "Seq Scan on agents" of PostgreSQL.
  static std::vector<std::string> whole_scans(const std::string& plan, bool postgres) {
    static const std::regex kSqlite(R"(SCAN (?!(mine|below|up|levels|\(.*\)|CONSTANT ROW)( |$)).*)");
    static const std::regex kPostgres(".*Seq Scan on .*");
    std::vector<std::string> found;
    std::istringstream lines(plan);
    for (std::string line; std::getline(lines, line);) {
      if (std::regex_match(line, postgres ? kPostgres : kSqlite)) found.push_back(line);
    }
    return found;
  }

  // Runs `list` and expects that each of its statements goes by indexes.
  template <typename F>
  void expect_indexed(const char* what, F list) {
    const Status status = db->read([&](soci::session& sql) {
      std::vector<std::string> statements;
      const soci::logger before = sql.get_logger();
      sql.set_logger(new Recorder(statements));
      list(sql);
      sql.set_logger(before);
      EXPECT_THAT(statements, Not(IsEmpty()));
      for (const std::string& statement : statements) {
        const std::string plan = explain(sql, statement);
        EXPECT_THAT(whole_scans(plan, database.postgres()), IsEmpty()) << what << "\n"
                                                                       << statement << "\n"
                                                                       << plan;
      }
    });
    EXPECT_TRUE(status.ok()) << what << ": " << status.to_string();
  }

  TestDatabase database;
  std::unique_ptr<Database> db = Database::open(database.options()).value();
};

TEST_F(PlanTest, TheCheckFindsAScan) {
  ASSERT_TRUE(db->read([&](soci::session& sql) {
                  const std::string plan = explain(sql, "SELECT id FROM agents WHERE last_contact_at = 5");
                  EXPECT_THAT(whole_scans(plan, database.postgres()), Not(IsEmpty()));
                }).ok());
}

TEST_F(PlanTest, ListsOfAgentsGoByIndexes) {
  expect_indexed("agents of a project", [](auto& sql) { AgentTable(sql).list(7, {}); });
  expect_indexed("tokens of an agent", [](auto& sql) { AgentTokenTable(sql).active(7, {}); });
  expect_indexed("connections of an agent", [](auto& sql) { AgentConnectionTable(sql).of_agent(7, 1); });
  expect_indexed("connections of a project", [](auto& sql) { AgentConnectionTable(sql).of_project(7, 1); });
  expect_indexed("events of an agent", [](auto& sql) { AgentEventTable(sql).list(7, 1, {}); });
  expect_indexed("what an agent's configuration lists", [](auto& sql) { AgentAccessTable(sql).of(7, "c"); });
  expect_indexed("an agent by its token", [](auto& sql) { AgentTokenTable(sql).by_hash("h7"); });
}

TEST_F(PlanTest, ListsOfProjectsAndGroupsGoByIndexes) {
  for (const bool mine : {false, true}) {
    for (const std::int64_t space : {0, 1007}) {
      expect_indexed("projects that a user sees", [&](auto& sql) {
        ProjectTable(sql).list(
            {.viewer = {7}, .namespace_id = space, .include_subgroups = mine, .member_only = mine}, {});
      });
      expect_indexed("groups that a user sees", [&](auto& sql) {
        NamespaceTable(sql).groups({.viewer = {7}, .parent_id = space, .member_only = mine}, {});
      });
    }
  }
  expect_indexed("projects that anybody sees", [](auto& sql) { ProjectTable(sql).list({}, {}); });
  expect_indexed("projects of a group for an administrator", [](auto& sql) {
    ProjectTable(sql).list({.viewer = {1, true}, .namespace_id = 1007, .include_subgroups = true}, {});
  });
  expect_indexed("projects below a group", [](auto& sql) { ProjectTable(sql).below(1007); });
  expect_indexed("a project by its path", [](auto& sql) { ProjectTable(sql).by_path("u7/p"); });
  expect_indexed("a namespace by its path", [](auto& sql) { NamespaceTable(sql).by_path("u7"); });
}

TEST_F(PlanTest, ListsOfMembersAndRolesGoByIndexes) {
  for (const MemberTable::Place place : {MemberTable::Place{.namespace_id = 1007}, {.project_id = 7}}) {
    expect_indexed("direct members", [&](auto& sql) { MemberTable(sql).direct_members(place, {}); });
    expect_indexed("all members", [&](auto& sql) { MemberTable(sql).all_members(place, {}); });
    expect_indexed("one member", [&](auto& sql) { MemberTable(sql).direct(7, place); });
  }
  expect_indexed("memberships below a group", [](auto& sql) { MemberTable(sql).below(7, 1007, 10); });
  expect_indexed("a role",
                 [](auto& sql) { MemberTable(sql).role_in_project(7, {.id = 7, .namespace_id = 7}); });
}

TEST_F(PlanTest, WhatBelongsToAUserOrAProjectGoesByIndexes) {
  expect_indexed("a user by name", [](auto& sql) { UserTable(sql).by_username("u7"); });
  expect_indexed("a user who logs in", [](auto& sql) { UserTable(sql).by_login("u7"); });
  expect_indexed("users of a name", [](auto& sql) { UserTable(sql).list("u7", "", {}); });
  expect_indexed("bots of a project", [](auto& sql) { UserTable(sql).bots(7); });
  expect_indexed("access tokens of a user", [](auto& sql) {
    AccessTokenTable(sql).list({.user_id = 7, .state = "active", .now = 7}, {});
  });
  expect_indexed("an access token", [](auto& sql) { AccessTokenTable(sql).by_hash("h7"); });
  expect_indexed("a session", [](auto& sql) { SessionTable(sql).by_hash("h7"); });
  expect_indexed("environments", [](auto& sql) {
    EnvironmentTable(sql).list({.project_id = 7, .search = "x", .state = "available"}, {});
  });
  expect_indexed("protected branches", [](auto& sql) { ProtectedBranchTable(sql).of_project(7); });
}

}  // namespace
}  // namespace towline::control
