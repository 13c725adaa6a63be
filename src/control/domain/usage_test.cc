// What happens to notes while the database takes none.
#include "control/domain/usage.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include "control/store/agent_event_table.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class UsageTest : public PlaneTest {
 protected:
  UsageTest() {
    usage.flush();
    if (!database.postgres()) return;
    *database.connect() << "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                           "$$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$";
  }

  // No transaction that adds an audit event succeeds until mend().
  void fail() {
    outage = database.connect();
    if (database.postgres()) {
      *outage << "CREATE TRIGGER refuse BEFORE INSERT ON audit_events EXECUTE FUNCTION refuse()";
    } else {
      *outage << "BEGIN IMMEDIATE";
    }
  }
  void mend() {
    *outage << (database.postgres() ? "DROP TRIGGER refuse ON audit_events" : "ROLLBACK");
    outage.reset();
  }

  void audit(const std::string& action) {
    recorder.audit({.username = "ada", .action = action}, "192.0.2.1:5");
  }
  std::vector<std::string> audited() {
    const auto rows =
        db->read([](soci::session& sql) { return AuditTable(sql).list({.number = 1, .size = 100}); });
    std::vector<std::string> actions;
    for (const AuditEvent& event : rows.value().items) actions.insert(actions.begin(), event.action);
    return actions;
  }

  std::unique_ptr<Database> impatient = [this] {
    Database::Options options = database.options();
    options.busy_timeout_seconds = 0;
    return Database::open(options).value();
  }();
  UsageRecorder recorder{*impatient, clock, log};
  std::unique_ptr<soci::session> outage;
};

TEST_F(UsageTest, WaitsForADatabaseThatIsAwayAndKeepsTheOrder) {
  fail();
  audit("first");
  EXPECT_FALSE(recorder.flush());
  audit("second");
  EXPECT_FALSE(recorder.flush());
  mend();
  audit("third");
  EXPECT_TRUE(recorder.flush());
  EXPECT_THAT(audited(), ElementsAre("first", "second", "third"));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("use and changes wait for the database"),
                                    HasSubstr(database.postgres() ? "the database has no resources left"
                                                                  : "database is locked")))
                         .Times(1));
  EXPECT_THAT(lines, Contains(HasSubstr("what waited for the database is recorded")).Times(1));
}

TEST_F(UsageTest, DoesNotSayRecordedOfWhatWaitedAndWasRefused) {
  fail();
  audit("lost");
  EXPECT_FALSE(recorder.flush());
  // In one step with the outage's end, so that the recorder's own thread cannot write in between.
  *outage << "ALTER TABLE audit_events RENAME TO elsewhere";
  *outage << (database.postgres() ? "DROP TRIGGER refuse ON elsewhere" : "COMMIT");
  EXPECT_TRUE(recorder.flush());
  EXPECT_THAT(lines, Contains(HasSubstr("use and changes were not recorded")));
  *database.connect() << "ALTER TABLE elsewhere RENAME TO audit_events";
  audit("kept");
  EXPECT_TRUE(recorder.flush());
  EXPECT_THAT(lines, Not(Contains(HasSubstr("what waited for the database is recorded"))));
  EXPECT_THAT(audited(), ElementsAre("kept"));
}

TEST_F(UsageTest, TellsTheWholeStoryOfAConnectionFromBeforeAndAfterAFault) {
  make_project("demo", root);
  const std::string agents = "/projects/root%2Fdemo/cluster_agents";
  const std::int64_t id = expect(201, "POST", agents, root.token, R"({"name":"a"})").at("id").as_int64();
  usage.flush();
  fail();
  audit("");
  recorder.agent_seen({.agent_id = id, .connection_id = 1, .version = "v17.0.0", .pod_name = "pod-1"});
  recorder.agent_seen({.agent_id = id, .connection_id = 2, .version = "v17.0.0", .pod_name = "pod-2"});
  EXPECT_FALSE(recorder.flush());
  const Millis came = millis(clock.wall());
  clock.advance(std::chrono::minutes(1));
  recorder.agent_seen({.agent_id = id, .connection_id = 2, .version = "v17.1.0", .pod_name = "pod-2"});
  recorder.agent_gone(id, 1);
  EXPECT_FALSE(recorder.flush());
  mend();
  EXPECT_TRUE(recorder.flush());
  const auto open = db->read(
      [&](soci::session& sql) { return AgentConnectionTable(sql).of_agent(id, millis(clock.wall())); });
  ASSERT_EQ(open.value().size(), 1U);
  EXPECT_EQ(open->front().pod_name, "pod-2");
  EXPECT_EQ(open->front().version, "v17.1.0");
  EXPECT_EQ(open->front().connected_at, came);
  const auto activity =
      expect(200, "GET", agents + "/" + std::to_string(id) + "/activity", root.token).as_array();
  EXPECT_THAT(activity, Contains(::testing::ResultOf(
                            [](const auto& event) { return std::string(event.at("kind").as_string()); },
                            "agent_connected")));
}

TEST_F(UsageTest, DropsTheOldestWhenTooMuchWaitsAndSaysSo) {
  fail();
  for (std::size_t i = 0; i < UsageRecorder::kMaxWaiting + 3; ++i) audit(std::to_string(i));
  EXPECT_FALSE(recorder.flush());
  EXPECT_THAT(lines, Contains(HasSubstr("the oldest is dropped")));
  mend();
  EXPECT_TRUE(recorder.flush());
  const auto rows = db->read([](soci::session& sql) {
    int count = 0;
    std::int64_t first = 0;
    sql << "SELECT COUNT(*) FROM audit_events WHERE username = 'ada'", soci::into(count);
    sql << "SELECT MIN(CAST(action AS INTEGER)) FROM audit_events WHERE username = 'ada'", soci::into(first);
    return std::pair(count, first);
  });
  EXPECT_EQ(rows.value(), std::pair(static_cast<int>(UsageRecorder::kMaxWaiting), std::int64_t{3}));
}

TEST_F(UsageTest, SaysWhatIsLostWhenItEndsWithoutADatabase) {
  fail();
  {
    UsageRecorder ending(*impatient, clock, log);
    ending.audit({.username = "ada", .action = "last"}, "192.0.2.1:5");
  }
  EXPECT_THAT(lines, Contains(HasSubstr("what waits for it is lost")));
  mend();
  EXPECT_THAT(audited(), ElementsAre());
}

TEST_F(UsageTest, RowsOfTheAuditLogGoAfterAYear) {
  audit("old");
  recorder.flush();
  clock.advance(std::chrono::hours(24 * 365) + std::chrono::hours(1));
  audit("new");
  recorder.flush();
  EXPECT_THAT(audited(), ElementsAre("new"));
  recorder.keep_audit(0);
  clock.advance(std::chrono::hours(24 * 4000));
  audit("newest");
  recorder.flush();
  EXPECT_THAT(audited(), ElementsAre("new", "newest"));
}

TEST_F(UsageTest, ANoteWithBytesThatNoDatabaseTakesDoesNotTakeTheOthersWithIt) {
  audit("before");
  audit(std::string("bad \0\xff", 6));
  recorder.agent_seen({.agent_id = 1, .connection_id = 9, .version = std::string("v\0\xff", 3)});
  audit("after");
  EXPECT_TRUE(recorder.flush());
  EXPECT_THAT(audited(), ElementsAre("before", "bad \xef\xbf\xbd\xef\xbf\xbd", "after"));
}

TEST_F(UsageTest, AnAgentThatIsAnotherOneAllTheTimeHasItsLastEventsOnly) {
  make_project("demo", root);
  const std::int64_t agent =
      expect(201, "POST", "/projects/root%2Fdemo/cluster_agents", root.token, R"({"name":"a"})")
          .at("id")
          .as_int64();
  for (int i = 1; i <= 1100; ++i) {
    recorder.agent_seen({.agent_id = agent, .connection_id = i, .version = "v" + std::to_string(i)});
  }
  EXPECT_TRUE(recorder.flush());
  const auto kept = db->read([&](soci::session& sql) {
    return AgentEventTable(sql).list(agent, millis(clock.wall()), {.number = 1, .size = 1});
  });
  EXPECT_EQ(kept->total, AgentEventTable::kMaxOfOneAgent);
  EXPECT_THAT(kept->items[0].detail, HasSubstr("to v1100"));
}

}  // namespace
}  // namespace towline::control
