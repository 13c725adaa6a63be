#include "control/store/migrations.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/member_table.h"
#include "control/store/namespace_table.h"
#include "control/store/user_table.h"
#include "control/test_database.h"

namespace towline::control {
namespace {

// Rows that each version of the schema brings room for. A new version gets some when the next one comes.
const std::map<int, std::vector<const char*>> kRows = {
    {1,
     {"INSERT INTO users (username, name, email, state, admin, password_hash, created_at) VALUES ('ada', "
      "'Ada', "
      "'ada@example.com', 'active', 1, 'hash', 5)",
      "INSERT INTO personal_access_tokens (user_id, name, scopes, token_hash, created_at, expires_at, "
      "last_used_at, revoked_at) VALUES (1, 't', 'api k8s_proxy', 'hash of a token', 5, 0, 0, 0)",
      "INSERT INTO namespaces (kind, name, path, full_path, full_name, owner_id, description, visibility, "
      "created_at) VALUES ('user', 'Ada', 'ada', 'ada', 'Ada', 1, '', 'private', 5)",
      "INSERT INTO projects (namespace_id, name, path, full_path, description, visibility, default_branch, "
      "creator_id, created_at, last_activity_at) VALUES (1, 'P', 'p', 'ada/p', 'ümlaut', 'internal', 'main', "
      "1, "
      "5, 6)",
      "INSERT INTO members (user_id, project_id, access_level, created_at) VALUES (1, 1, 30, 5)",
      "INSERT INTO agents (project_id, name, created_by_user_id, created_at, last_contact_at) VALUES (1, "
      "'edge', 1, 5, 7)",
      "INSERT INTO agent_tokens (agent_id, name, description, token_hash, created_by_user_id, created_at, "
      "last_used_at, revoked_at) VALUES (1, 't', '', 'hash of another', 1, 5, 6, 0)",
      "INSERT INTO agent_presence (agent_id, pod_id, version, commit_id, pod_namespace, pod_name, "
      "last_seen_at) "
      "VALUES (1, 2, '17', '', '', '', 7)",
      "INSERT INTO agent_configurations (agent_id, commit_id, content, fault, fault_commit_id, updated_at) "
      "VALUES (1, 'c0ffee', 'observability: {}', '', '', 7)",
      "INSERT INTO settings (name, value) VALUES ('first_start_done', '1')"}},
    {2,
     {"INSERT INTO agent_connections (id, agent_id, version, commit_id, pod_namespace, pod_name, "
      "connected_at, "
      "last_seen_at) VALUES (4, 1, '17', '', '', '', 7, 8)",
      "INSERT INTO agent_events (agent_id, kind, detail, user_id, token_id, recorded_at) VALUES (1, 'k', '', "
      "1, "
      "1, 8)",
      "INSERT INTO sessions (user_id, token_hash, created_at, expires_at) VALUES (1, 'hash', 5, 6)",
      "INSERT INTO audit_events (at, user_id, username, address, action, target) VALUES (5, 1, 'ada', '', "
      "'a', "
      "'')",
      "INSERT INTO environments (project_id, name, slug, state, tier, external_url, description, "
      "cluster_agent_id, kubernetes_namespace, flux_resource_path, created_at, updated_at) VALUES (1, 'e', "
      "'e', "
      "'available', 'other', '', '', 1, '', '', 5, 6)",
      "INSERT INTO protected_branches (project_id, name, push_access_level, allow_force_push) VALUES (1, "
      "'main', "
      "40, 0)"}},
    {3, {}}};

// A database that a program of each version has left.
class MigrationsTest : public ::testing::TestWithParam<int> {
 protected:
  MigrationsTest() {
    const auto sql = database.connect();
    if (database.postgres()) *sql << "SET client_min_messages = warning";
    for (int version = 1; version <= GetParam(); ++version) {
      EXPECT_TRUE(migrate(*sql, all_migrations().first(static_cast<std::size_t>(version))).ok());
      const auto rows = kRows.find(version);
      EXPECT_TRUE(rows != kRows.end() || version == all_migrations().back().version)
          << "give rows for version " << version << " of the schema";
      if (rows == kRows.end()) continue;
      for (const char* row : rows->second) *sql << row;
    }
  }

  long long count(const std::string& table) {
    long long rows = 0;
    *database.connect() << "SELECT COUNT(*) FROM " + table, soci::into(rows);
    return rows;
  }

  TestDatabase database;
};

TEST_P(MigrationsTest, BringsItsDataAlong) {
  auto db = Database::open(database.options());
  ASSERT_TRUE(db.has_value()) << db.error().to_string();
  const Status read = (*db)->read([](soci::session& sql) {
    EXPECT_EQ(UserTable(sql).by_username("ADA")->email, "ada@example.com");
    EXPECT_EQ(AccessTokenTable(sql).by_hash("hash of a token")->scopes, "api k8s_proxy");
    const auto project = ProjectTable(sql).by_path("ada/p");
    EXPECT_EQ(project->description, "ümlaut");
    EXPECT_EQ(MemberTable(sql).role_in_project(1, *project), Role::kOwner);
    EXPECT_EQ(AgentTable(sql).by_name(project->id, "edge")->last_contact_at, 7);
    EXPECT_EQ(AgentTokenTable(sql).by_hash("hash of another")->agent_id, 1);
    EXPECT_EQ(AgentTable(sql).configuration(1)->content, "observability: {}");
    EXPECT_FALSE(AgentTable(sql).configuration(1)->resolved);
    EXPECT_EQ(SettingTable(sql).get("first_start_done"), "1");
  });
  EXPECT_TRUE(read.ok()) << read.to_string();
  EXPECT_EQ(count("schema_migrations"), static_cast<long long>(all_migrations().size()));
  if (GetParam() < 2) return;
  for (const char* table : {"agent_connections", "agent_events", "sessions", "audit_events", "environments",
                            "protected_branches"}) {
    EXPECT_EQ(count(table), 1) << table;
  }
}

TEST_P(MigrationsTest, GoesOnNumberingWhereItWas) {
  auto db = Database::open(database.options());
  ASSERT_TRUE(db.has_value());
  const auto id = (*db)->write(
      [](soci::session& sql) { return AgentTable(sql).create({.project_id = 1, .name = "next"}); });
  EXPECT_EQ(id.value(), 2);
}

INSTANTIATE_TEST_SUITE_P(From, MigrationsTest,
                         ::testing::Range(1, static_cast<int>(all_migrations().size()) + 1));

}  // namespace
}  // namespace towline::control
