#include <ostream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/member_table.h"
#include "control/store/migrations.h"
#include "control/store/namespace_table.h"
#include "control/store/query.h"
#include "control/store/user_table.h"
#include "control/test_database.h"

namespace towline::control {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { reopen(); }
  void reopen() {
    db.reset();
    db = Database::open(database.options()).value();
  }

  std::int64_t user(const std::string& name) {
    return db
        ->write([&](auto& sql) {
          return UserTable(sql).create({.username = name, .name = name, .email = name + "@example.com"}, "");
        })
        .value();
  }
  std::int64_t group(const std::string& path, std::int64_t parent = 0, std::int64_t owner = 0) {
    return db
        ->write([&](auto& sql) {
          return NamespaceTable(sql).create({.kind = owner ? "user" : "group",
                                             .name = path,
                                             .path = path,
                                             .full_path = path,
                                             .parent_id = parent,
                                             .owner_id = owner});
        })
        .value();
  }
  Project project(const std::string& path, std::int64_t space, const std::string& visibility = "private") {
    return db
        ->write([&](auto& sql) {
          ProjectTable table(sql);
          return *table.by_id(table.create({.namespace_id = space,
                                            .name = path,
                                            .path = path,
                                            .full_path = path,
                                            .visibility = visibility}));
        })
        .value();
  }
  Role role(std::int64_t user, const Project& project) {
    return db->read([&](auto& sql) { return MemberTable(sql).role_in_project(user, project); }).value();
  }

  TestDatabase database;
  std::unique_ptr<Database> db;
};

TEST_F(StoreTest, AWriteIsThereAfterReopening) {
  const auto id = user("ada");
  reopen();
  const auto found = db->read([&](auto& sql) { return UserTable(sql).by_id(id); });
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->username, "ada");
}

TEST_F(StoreTest, AFailedWriteLeavesNothing) {
  const Status status = db->write([&](auto& sql) -> Status {
    UserTable(sql).create({.username = "ada", .email = "a@example.com"}, "");
    return {Code::kInvalidArgument, "no"};
  });
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_FALSE(db->read([](auto& sql) { return UserTable(sql).by_username("ada"); })->has_value());
}

TEST_F(StoreTest, NamesAreUniqueWithoutCase) {
  user("ada");
  const auto again = db->write(
      [](auto& sql) { return UserTable(sql).create({.username = "ADA", .email = "other@example.com"}, ""); });
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), Code::kAlreadyExists);
}

TEST_F(StoreTest, ForeignKeysHold) {
  const auto broken =
      db->write([](auto& sql) { return AgentTable(sql).create({.project_id = 99, .name = "a"}); });
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code(), Code::kFailedPrecondition);
}

TEST_F(StoreTest, ValuesAreNeverPartOfTheStatement) {
  const std::string evil = "x'); DROP TABLE users; --%_\\";
  user(evil);
  EXPECT_EQ(db->read([&](auto& sql) { return UserTable(sql).by_username(evil); }).value()->username, evil);
  EXPECT_EQ(db->read([&](auto& sql) { return UserTable(sql).list("", "--%_\\", {}); })->total, 1);
  EXPECT_EQ(db->read([&](auto& sql) { return UserTable(sql).list("", "__", {}); })->total, 0);
}

TEST_F(StoreTest, TextsWithNulAreRefused) {
  const Status status =
      db->write([](auto& sql) { SettingTable(sql).set("a", std::string("before\0after", 12)); });
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(), "value must not contain NUL characters");
}

TEST_F(StoreTest, ErrorsNeverRepeatValues) {
  const auto fails = [&](const std::string& statement) {
    const Status status = db->write([&](auto& sql) { Query(sql, statement).with("v", "geheim").run(); });
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.message(), Not(HasSubstr("geheim")));
    return status.code();
  };
  EXPECT_EQ(fails("INSERT INTO nowhere (name) VALUES (:v)"), Code::kInternal);
  EXPECT_EQ(fails("INSERT INTO settings (name) VALUES (:v)"), Code::kFailedPrecondition);
  user("geheim");
  EXPECT_EQ(fails("INSERT INTO users (username, name, email, state, admin, password_hash, created_at) "
                  "VALUES (:v, '', '', '', 0, '', 0)"),
            Code::kAlreadyExists);
}

TEST_F(StoreTest, GenerationGrowsWithWritesButNotWithQuietOnes) {
  const auto before = db->generation();
  ASSERT_TRUE(db->write_quietly([](auto& sql) { SettingTable(sql).set("a", "b"); }).ok());
  EXPECT_EQ(db->generation(), before);
  ASSERT_TRUE(db->write([](auto& sql) { SettingTable(sql).set("a", "c"); }).ok());
  EXPECT_GT(db->generation(), before);
  EXPECT_EQ(db->read([](auto& sql) { return SettingTable(sql).get("a"); }).value(), "c");
}

TEST_F(StoreTest, WritersAndReadersFromManyThreadsLoseNothing) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        user("u" + std::to_string(t) + "-" + std::to_string(i));
        EXPECT_TRUE(db->read([](auto& sql) { return UserTable(sql).list("", "", {}); }).has_value());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(db->read([](auto& sql) { return UserTable(sql).list("", "", {}); })->total, 60);
}

TEST_F(StoreTest, ANewerSchemaIsRefused) {
  ASSERT_TRUE(
      db->write([](auto& sql) { sql << "INSERT INTO schema_migrations (version) VALUES (1000)"; }).ok());
  db.reset();
  const auto reopened = Database::open(database.options());
  ASSERT_FALSE(reopened.has_value());
  EXPECT_THAT(reopened.error().message(), HasSubstr("newer program"));
}

TEST_F(StoreTest, AMigrationThatFailsLeavesTheSchemaAsItWas) {
  const std::array<Migration, 2> steps = {{{1000, "CREATE TABLE half (id @ID@);\n"}, {1001, "NOT SQL;\n"}}};
  const Status status = db->write([&](auto& sql) { return migrate(sql, steps); });
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_EQ(db->read([](auto& sql) { sql << "SELECT * FROM half"; }).code(), Code::kInternal);
}

TEST_F(StoreTest, NumbersOfDeletedAgentsAreNotGivenAgain) {
  const Project p = project("p", group("g"));
  const auto make = [&] {
    return db->write([&](auto& sql) { return AgentTable(sql).create({.project_id = p.id, .name = "a"}); })
        .value();
  };
  const auto first = make();
  ASSERT_TRUE(db->write([&](auto& sql) { AgentTable(sql).remove(first); }).ok());
  EXPECT_GT(make(), first);
}

// What a user is in a project that lies in the group "top/sub".
struct RoleCase {
  const char* name;
  Role in_top, in_sub, in_project;
  Role expected;
};
void PrintTo(const RoleCase& each, std::ostream* to) { *to << each.name; }
class RoleTest : public StoreTest, public ::testing::WithParamInterface<RoleCase> {};

TEST_P(RoleTest, TheHighestOfDirectAndInheritedCounts) {
  const auto top = group("top");
  const auto sub = group("top/sub", top);
  const Project p = project("top/sub/p", sub);
  const auto ada = user("ada");
  const auto bob = user("bob");
  const RoleCase& c = GetParam();
  ASSERT_TRUE(db->write([&](auto& sql) {
                  MemberTable members(sql);
                  if (c.in_top != Role::kNone) members.add(ada, {.namespace_id = top}, c.in_top, 1);
                  if (c.in_sub != Role::kNone) members.add(ada, {.namespace_id = sub}, c.in_sub, 1);
                  if (c.in_project != Role::kNone) members.add(ada, {.project_id = p.id}, c.in_project, 1);
                }).ok());
  EXPECT_EQ(role(ada, p), c.expected);
  EXPECT_EQ(role(bob, p), Role::kNone);
  const auto seen = db->read([&](auto& sql) { return ProjectTable(sql).list({.viewer = {ada}}, {}); });
  EXPECT_EQ(seen->total, c.expected == Role::kNone ? 0 : 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, RoleTest,
    ::testing::Values(
        RoleCase{"Nowhere", Role::kNone, Role::kNone, Role::kNone, Role::kNone},
        RoleCase{"InProject", Role::kNone, Role::kNone, Role::kGuest, Role::kGuest},
        RoleCase{"InGroup", Role::kNone, Role::kReporter, Role::kNone, Role::kReporter},
        RoleCase{"InherGrandparent", Role::kDeveloper, Role::kNone, Role::kNone, Role::kDeveloper},
        RoleCase{"HigherAbove", Role::kMaintainer, Role::kGuest, Role::kGuest, Role::kMaintainer},
        RoleCase{"HigherBelow", Role::kGuest, Role::kNone, Role::kOwner, Role::kOwner}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(StoreTest, TheOwnerOfANamespaceOwnsItsProjects) {
  const auto ada = user("ada");
  const Project p = project("ada/p", group("ada", 0, ada));
  EXPECT_EQ(role(ada, p), Role::kOwner);
}

TEST_F(StoreTest, ListsShowWhatTheViewerMaySee) {
  const auto space = group("g");
  project("g/private", space);
  project("g/internal", space, "internal");
  project("g/public", space, "public");
  const auto count = [&](Viewer viewer) {
    return db->read([&](auto& sql) { return ProjectTable(sql).list({.viewer = viewer}, {}); })->total;
  };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({user("ada")}), 2);
  EXPECT_EQ(count({user("root"), true}), 3);
}

TEST_F(StoreTest, MembersOfGroupsAboveAreListedOnceWithTheHighestRole) {
  const auto top = group("top");
  const Project p = project("top/p", top);
  const auto ada = user("ada");
  ASSERT_TRUE(db->write([&](auto& sql) {
                  MemberTable(sql).add(ada, {.namespace_id = top}, Role::kDeveloper, 1);
                  MemberTable(sql).add(ada, {.project_id = p.id}, Role::kGuest, 1);
                }).ok());
  const auto all =
      db->read([&](auto& sql) { return MemberTable(sql).all_members({.project_id = p.id}, {}); });
  ASSERT_EQ(all->total, 1);
  EXPECT_EQ(all->items.at(0).role, Role::kDeveloper);
}

TEST_F(StoreTest, AStatementThatTakesTooLongIsEndedAndTheConnectionGoesOn) {
  auto options = database.options();
  options.time = std::chrono::milliseconds(50);
  options.connections = 2;
  db.reset();
  db = Database::open(options).value();
  const auto endless = [](soci::session& sql) {
    long long last = 0;
    sql << "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n",
        soci::into(last);
    return last;
  };
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(db->read(endless).error().code(), Code::kDeadlineExceeded);
    EXPECT_EQ(db->write(endless).error().code(), Code::kDeadlineExceeded);
  }
  EXPECT_GT(user("alice"), 0);
  EXPECT_TRUE(db->read([](auto& sql) { return UserTable(sql).by_username("alice"); }).value().has_value());
}

}  // namespace
}  // namespace towline::control
