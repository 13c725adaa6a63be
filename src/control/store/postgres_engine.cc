#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include "base/backoff.h"
#include "control/store/engine.h"
#include "control/store/migrations.h"
#include "control/store/postgres_changes.h"
#include "control/store/postgres_pool.h"
#include "control/store/query.h"

namespace towline::control {
namespace {

// Attempts of a write that others get in the way of. The second and later ones of a process wait for each
// other, so that few are needed.
constexpr int kAttempts = 15;
constexpr Backoff::Policy kConflictPauses{.initial = std::chrono::milliseconds(2),
                                          .maximum = std::chrono::milliseconds(200)};

std::string state_of(const soci::soci_error& error) {
  const auto* postgres = dynamic_cast<const soci::postgresql_soci_error*>(&error);
  return postgres == nullptr ? "" : postgres->sqlstate();
}

// Also when the server is about to end the connection, and when it has become a standby.
bool is_loss(const std::string& state, PGconn* connection) {
  return PQstatus(connection) == CONNECTION_BAD || state.starts_with("08") || state == "57P01" ||
         state == "57P02" || state == "57P03" || state == "25006";
}

// https://www.postgresql.org/docs/15/errcodes-appendix.html
bool is_conflict(const std::string& state) { return state == "40001" || state == "40P01"; }

Status status_of(const soci::soci_error& error) {
  const std::string state = state_of(error);
  if (state == "23505") return already_exists();
  if (state.starts_with("23")) return breaks_records();
  if (state == "22021" || state == "22P05") return {Code::kInvalidArgument, "a text is not valid UTF-8"};
  if (state == "57014") return takes_too_long();
  if (state.starts_with("53")) return {Code::kUnavailable, "the database has no resources left"};
  return {Code::kInternal, "database: " + error.get_error_message()};
}

// What became of one attempt.
struct Outcome {
  enum Kind { kDone, kConflict, kLostBefore, kLostWithin };
  Kind kind = kDone;
  Status status;
};

class PostgresEngine final : public Engine {
 public:
  PostgresEngine(PostgresAddress address, const Database::Options& options,
                 std::function<void()> others_wrote)
      : pool_(std::move(address), std::max(2, options.connections), options.time, options.log),
        changes_(pool_.address().connection, std::move(others_wrote)) {}

  Status open() {
    Status migrated = write([](soci::session& sql) { return migrate_alone(sql); }, true);
    if (!migrated.ok() && !pool_.last_fault().message().empty()) migrated = pool_.last_fault();
    if (!migrated.ok()) return migrated;
    was_free_ = write(look_for_others, true).ok();
    changes_.start();
    return {};
  }

  Status read(const Work& work) override {
    Outcome outcome = attempt(Isolation::kNone, work);
    // A connection that had died unnoticed; a read may be repeated.
    if (outcome.kind == Outcome::kLostBefore || outcome.kind == Outcome::kLostWithin) {
      outcome = attempt(Isolation::kNone, work);
    }
    return outcome.kind == Outcome::kDone ? outcome.status : not_reachable();
  }

  Status write(const Work& work, bool quiet) override {
    const auto told = [&](soci::session& sql) {
      Status status = work(sql);
      if (status.ok() && !quiet) {
        Query(sql, PostgresChanges::tell_statement()).with("who", changes_.who()).run();
      }
      return status;
    };
    const Isolation isolation = quiet ? Isolation::kReadCommitted : Isolation::kSerializable;
    Backoff backoff(kConflictPauses, random_fraction);
    std::unique_lock in_turn(conflicts_, std::defer_lock);
    bool reconnected = false;
    for (int i = 0; i < kAttempts; ++i) {
      const Outcome outcome = attempt(isolation, told);
      if (outcome.kind == Outcome::kDone) return outcome.status;
      if (outcome.kind == Outcome::kLostWithin) return not_reachable();
      if (outcome.kind == Outcome::kLostBefore) {
        if (std::exchange(reconnected, true)) return not_reachable();
        continue;
      }
      if (!in_turn.owns_lock()) in_turn.lock();
      std::this_thread::sleep_for(backoff.next());
    }
    return {Code::kUnavailable, "too many changes at once in the database; try again"};
  }

  Status alone(const std::string& name, const std::function<Status()>& f) override {
    Status result;
    const Outcome outcome = attempt(Isolation::kNone, [&](soci::session& sql) {
      sql << "BEGIN";
      sql << "SET LOCAL statement_timeout = 0";  // it waits for as long as others need
      Query(sql, "SELECT pg_advisory_lock(hashtext(current_schema()), hashtext(:name))")
          .with("name", name)
          .run();
      sql << "COMMIT";
      result = f();
      Query(sql, "SELECT pg_advisory_unlock_all()").run();
      return Status();
    });
    if (outcome.kind != Outcome::kDone) return not_reachable();
    return outcome.status.ok() ? result : outcome.status;
  }

  bool was_free() const override { return was_free_; }
  bool hears_others() const override { return changes_.hears(); }

 private:
  enum class Isolation { kNone, kReadCommitted, kSerializable };

  // Fails when another process has the database open. One that was killed lets go within the second.
  static Status look_for_others(soci::session& sql) {
    sql << "SET LOCAL lock_timeout = '1s'";
    Query(sql, std::string("SELECT pg_advisory_xact_lock(") + PostgresChanges::kInUse + ")").run();
    return {};
  }

  // Of several processes that start at once, one does it and the others find it done.
  static Status migrate_alone(soci::session& sql) {
    sql << "SET LOCAL statement_timeout = 0";  // a large database, or another process that does it
    Query(sql, "SELECT pg_advisory_xact_lock(hashtext(current_schema()), hashtext('migrations'))").run();
    return migrate(sql, all_migrations());
  }

  static void begin(soci::session& sql, Isolation isolation) {
    if (isolation == Isolation::kReadCommitted) sql << "BEGIN ISOLATION LEVEL READ COMMITTED";
    if (isolation == Isolation::kSerializable) sql << "BEGIN ISOLATION LEVEL SERIALIZABLE";
  }

  // PostgreSQL answers COMMIT with success when it has rolled back because a statement had failed before.
  static void end(PostgresPool::Lease& lease, const Status& status) {
    if (status.ok() && PQtransactionStatus(lease.raw()) == PQTRANS_INERROR) {
      throw soci::soci_error("a failed statement went unnoticed");
    }
    lease.session() << (status.ok() ? "COMMIT" : "ROLLBACK");
  }

  Outcome attempt(Isolation isolation, const Work& work) {
    auto lease = pool_.take();
    if (!lease) return {Outcome::kDone, lease.error()};
    bool begun = false;
    try {
      begin(lease->session(), isolation);
      begun = true;
      Status status = work(lease->session());
      if (isolation != Isolation::kNone) end(*lease, status);
      return {Outcome::kDone, std::move(status)};
    } catch (const Refusal& refusal) {
      clean(*lease);
      return {Outcome::kDone, refusal.status()};
    } catch (const soci::soci_error& error) {
      const std::string state = state_of(error);
      const bool loss = is_loss(state, lease->raw());
      clean(*lease);
      if (loss) return {begun ? Outcome::kLostWithin : Outcome::kLostBefore, {}};
      if (isolation != Isolation::kNone && is_conflict(state)) return {Outcome::kConflict, {}};
      return {Outcome::kDone, status_of(error)};
    } catch (...) {
      clean(*lease);
      throw;
    }
  }

  // The next user of a connection finds it without a transaction, or not at all.
  static void clean(PostgresPool::Lease& lease) {
    try {
      if (PQstatus(lease.raw()) == CONNECTION_OK && PQtransactionStatus(lease.raw()) != PQTRANS_IDLE) {
        lease.session() << "ROLLBACK";
      }
      if (PQtransactionStatus(lease.raw()) == PQTRANS_IDLE) return;
    } catch (const soci::soci_error&) {  // it is closed below
    }
    lease.lost();
  }

  PostgresPool pool_;
  std::mutex conflicts_;
  bool was_free_ = true;
  PostgresChanges changes_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_postgres(const Database::Options& options,
                                              std::function<void()> others_wrote) {
  auto address = parse_postgres_url(*options.url);
  if (!address) return fail(address.error());
  const std::string name = address->name;
  auto engine = std::make_unique<PostgresEngine>(std::move(*address), options, std::move(others_wrote));
  if (Status status = engine->open(); !status.ok()) return fail(status.with_prefix(name));
  return engine;
}

}  // namespace towline::control
