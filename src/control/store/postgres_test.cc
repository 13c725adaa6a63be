// What only PostgreSQL can do: several processes on one database, and connections that break. These run under
// tests/with_postgres; the suites' names let the ordinary run leave them out.
#include <atomic>
#include <chrono>
#include <latch>
#include <thread>

#include <gmock/gmock.h>
#include <soci/soci.h>

#include "control/domain/agents.h"
#include "control/store/agent_table.h"
#include "control/store/query.h"
#include "control/store/user_table.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Two servers on one database.
class PostgresServers : public PlaneTest {
 protected:
  PostgresServers() {
    if (!database.postgres()) ADD_FAILURE() << "run this under tests/with_postgres";
  }

  static bool soon(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  Status set(Database& where, const std::string& value) {
    return where.write([&](auto& sql) { SettingTable(sql).set("a", value); });
  }
  std::string get(Database& where) {
    return where.read([](auto& sql) { return SettingTable(sql).get("a"); }).value().value_or("");
  }
  // Ends all connections to the test's schema, as a restart of the server does.
  void cut() {
    *database.connect() << "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                           "application_name = current_schema() AND pid <> pg_backend_pid()";
  }

  std::unique_ptr<Database> other = Database::open(database.options()).value();
};

TEST_F(PostgresServers, HearOfEachOthersWritesButNotOfQuietOnes) {
  usage.flush();
  const auto before = other->generation();
  ASSERT_EQ(other->generation(), before);
  ASSERT_TRUE(db->write_quietly([](auto& sql) { SettingTable(sql).set("a", "quiet"); }).ok());
  ASSERT_TRUE(set(*db, "b").ok());
  const auto wrote = std::chrono::steady_clock::now();
  ASSERT_TRUE(soon([&] { return other->generation() > before; }));
  EXPECT_LT(std::chrono::steady_clock::now() - wrote, std::chrono::seconds(1));
  EXPECT_EQ(other->generation(), before + 1);
  EXPECT_EQ(get(*other), "b");
}

TEST_F(PostgresServers, TellNobodyWhenAWriteFails) {
  const auto before = other->generation();
  EXPECT_FALSE(db->write([](auto& sql) -> Status {
                   SettingTable(sql).set("a", "b");
                   return {Code::kInvalidArgument, "no"};
                 }).ok());
  ASSERT_TRUE(set(*db, "c").ok());
  ASSERT_TRUE(soon([&] { return other->generation() > before; }));
  EXPECT_EQ(other->generation(), before + 1);
}

TEST_F(PostgresServers, GiveAnAgentTwoActiveTokensAtMost) {
  const auto project = make_project("demo", root);
  const auto agent = expect(201, "POST", "/projects/" + std::to_string(project) + "/cluster_agents",
                            root.token, R"({"name":"a"})");
  const AgentRecord record{.id = agent.at("id").as_int64(), .project_id = project, .name = "a"};
  Core second{*other,
              repositories,
              events,
              usage,
              configurations,
              vault,
              clock,
              log,
              core.version,
              core.external_url,
              core.kas_external_url,
              core.k8s_proxy_external_url};
  std::atomic<int> made{0};
  std::atomic<int> refused{0};
  std::latch start(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      const auto token = Agents(i % 2 == 0 ? core : second).create_token({.id = root.id}, record, "t", "");
      if (token) ++made;
      if (!token && token.error().code() == Code::kFailedPrecondition) ++refused;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 2);
  EXPECT_EQ(refused, 6);
}

TEST_F(PostgresServers, LoseNoWriteThatOthersGetInTheWayOf) {
  ASSERT_TRUE(set(*db, "0").ok());
  constexpr int kThreads = 8;
  constexpr int kTimes = 15;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kTimes; ++n) {
        const Status status = (i % 2 == 0 ? db : other)->write([](auto& sql) {
          SettingTable table(sql);
          table.set("a", std::to_string(std::stoi(*table.get("a")) + 1));
        });
        EXPECT_TRUE(status.ok()) << status.to_string();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(get(*other), std::to_string(kThreads * kTimes));
}

TEST_F(PostgresServers, WorkOnAfterTheirConnectionsWereCut) {
  ASSERT_TRUE(set(*db, "before").ok());
  cut();
  EXPECT_EQ(get(*db), "before");
  cut();
  EXPECT_TRUE(set(*db, "after").ok());
  EXPECT_EQ(get(*other), "after");
}

TEST_F(PostgresServers, SayUnavailableToAWriteThatIsCut) {
  const Status status = db->write([&](auto& sql) {
    SettingTable(sql).set("a", "lost");
    cut();
    SettingTable(sql).set("a", "lost again");
  });
  EXPECT_EQ(status, Status(Code::kUnavailable, "the database is not reachable"));
  EXPECT_EQ(get(*db), "");
}

TEST_F(PostgresServers, HearOfWritesThatHappenedWhileTheyWereCut) {
  const auto before = other->generation();
  cut();
  ASSERT_TRUE(set(*db, "missed?").ok());
  EXPECT_TRUE(soon([&] { return other->generation() > before; }));
  // And settle when they hear again.
  EXPECT_TRUE(soon([&] {
    const auto first = other->generation();
    return other->generation() == first;
  }));
}

TEST_F(PostgresServers, DoOneThingOfANameAtATime) {
  std::atomic<int> within{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const Status status = (i % 2 == 0 ? db : other)->alone("a thing", [&]() -> Status {
        EXPECT_EQ(++within, 1);
        EXPECT_TRUE(set(*db, "x").ok());
        --within;
        return {Code::kOutOfRange, "its own status"};
      });
      EXPECT_EQ(status.message(), "its own status");
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(PostgresServers, SayThatATextIsNoUtf8) { EXPECT_EQ(set(*db, "\xff").code(), Code::kInvalidArgument); }

TEST(PostgresStart, OfManyAtOnceMigratesOnce) {
  const TestDatabase database;
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([&] {
      const auto db = Database::open(database.options());
      EXPECT_TRUE(db.has_value()) << db.error().to_string();
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(PostgresStart, WithoutADatabaseSaysWhichAndNeverThePassword) {
  const auto open = [](const std::string& url) {
    const auto db = Database::open({.url = Secret(url)});
    EXPECT_FALSE(db.has_value());
    EXPECT_THAT(db.error().message(), Not(HasSubstr("geheim")));
    return db.error();
  };
  const Status closed = open("postgresql://ada:geheim@127.0.0.1:1/towline");
  EXPECT_EQ(closed.code(), Code::kUnavailable);
  EXPECT_THAT(closed.message(), AllOf(HasSubstr("PostgreSQL database towline at 127.0.0.1:1: "),
                                      HasSubstr("Connection refused")));
  std::string url = TestDatabase().options().url->reveal();
  const Status refused =
      open(url.replace(url.find("//") + 2, url.find('@') - url.find("//") - 2, "ada:geheim"));
  EXPECT_THAT(refused.message(), HasSubstr("password authentication failed for user \"ada\""));
}

}  // namespace
}  // namespace towline::control
