#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "control/store/engine.h"
#include "control/store/migrations.h"
#include "control/store/query.h"

namespace towline::control {
namespace {

using Session = std::unique_ptr<soci::session>;
using Time = std::chrono::steady_clock;

// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
constexpr int kSteps = 10'000;

// Ends the statements of a connection when its time is up.
class Watch {
 public:
  Watch(soci::session& sql, Time::duration time)
      : connection_(static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_),
        end_(Time::now() + time) {
    sqlite_api::sqlite3_progress_handler(
        connection_, kSteps,
        [](void* end) { return *static_cast<Time::time_point*>(end) < Time::now() ? 1 : 0; }, &end_);
  }
  ~Watch() { sqlite_api::sqlite3_progress_handler(connection_, 0, nullptr, nullptr); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  sqlite_api::sqlite3* connection_;
  Time::time_point end_;
};

Session connect(const Database::Options& options) {
  soci::connection_parameters parameters(soci::sqlite3, "dbname=\"" + options.path + "\" timeout=" +
                                                            std::to_string(options.busy_timeout_seconds));
  auto session = std::make_unique<soci::session>(parameters);
  *session << "PRAGMA foreign_keys = ON";
  return session;
}

// An acknowledged write survives kill -9 and, with FULL, a power cut: SQLite syncs the log at each commit.
void make_durable(soci::session& sql) {
  std::string mode;
  sql << "PRAGMA journal_mode = WAL", soci::into(mode);
  sql << "PRAGMA synchronous = FULL";
}

// https://www.sqlite.org/rescode.html
Status status_of(const soci::soci_error& error) {
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  const int code = sqlite == nullptr ? SQLITE_ERROR : sqlite->result();
  const std::string text = error.get_error_message();  // what() would add the statement's values
  switch (code & 0xff) {                               // extended result codes keep the primary one here
    case SQLITE_INTERRUPT:
      return takes_too_long();
    case SQLITE_CONSTRAINT:
      return text.find("UNIQUE") != std::string::npos ? already_exists() : breaks_records();
    // These pass when another process lets go or somebody mends the disk.
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return {Code::kUnavailable,
              std::string("the database cannot be used now: ") + sqlite_api::sqlite3_errstr(code)};
    default:
      return {Code::kInternal, "database: " + text};
  }
}

// Runs `body` between BEGIN and COMMIT; anything but success rolls back.
Status in_transaction(soci::session& sql, const Engine::Work& body) {
  sql << "BEGIN IMMEDIATE";
  try {
    Status status = body(sql);
    sql << (status.ok() ? "COMMIT" : "ROLLBACK");
    return status;
  } catch (...) {
    try {
      sql << "ROLLBACK";
    } catch (const soci::soci_error&) {  // SQLite has rolled back by itself
    }
    throw;
  }
}

// One connection that writes, guarded by a mutex, and a few that read.
class SqliteEngine final : public Engine {
 public:
  Status open(const Database::Options& options) {
    time_ = options.time;
    writer_ = connect(options);
    make_durable(*writer_);
    const Status migrated =
        in_transaction(*writer_, [](soci::session& sql) { return migrate(sql, all_migrations()); });
    for (int i = 0; i < options.connections; ++i) {
      readers_.push_back(connect(options));
      // The first read opens SQLite's files: now, not when descriptors have run short.
      int version = 0;
      *readers_.back() << "SELECT MAX(version) FROM schema_migrations", soci::into(version);
    }
    return migrated;
  }

  Status read(const Work& work) override {
    return answer([&] {
      Lease lease(*this);
      const Watch watch(lease.session(), time_);
      return work(lease.session());
    });
  }
  Status write(const Work& work, bool) override {
    return answer([&] {
      const std::lock_guard lock(write_mutex_);
      return in_transaction(*writer_, [&](soci::session& sql) {
        const Watch watch(sql, time_);
        return work(sql);
      });
    });
  }
  Status alone(const std::string&, const std::function<Status()>& f) override { return f(); }
  bool was_free() const override { return true; }  // a data folder belongs to one server
  bool hears_others() const override { return true; }

 private:
  static Status answer(const std::function<Status()>& f) {
    try {
      return f();
    } catch (const Refusal& refusal) {
      return refusal.status();
    } catch (const soci::soci_error& error) {
      return status_of(error);
    }
  }

  // A reading connection for the time of one piece of work.
  class Lease {
   public:
    explicit Lease(SqliteEngine& engine) : engine_(engine) {
      std::unique_lock lock(engine.read_mutex_);
      engine.reader_free_.wait(lock, [&] { return !engine.readers_.empty(); });
      session_ = std::move(engine.readers_.back());
      engine.readers_.pop_back();
    }
    ~Lease() {
      {
        const std::lock_guard lock(engine_.read_mutex_);
        engine_.readers_.push_back(std::move(session_));
      }
      engine_.reader_free_.notify_one();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    soci::session& session() { return *session_; }

   private:
    SqliteEngine& engine_;
    Session session_;
  };

  Time::duration time_{};
  std::mutex write_mutex_;
  Session writer_;

  std::mutex read_mutex_;
  std::condition_variable reader_free_;
  std::vector<Session> readers_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_sqlite(const Database::Options& options) {
  try {
    auto engine = std::make_unique<SqliteEngine>();
    if (Status status = engine->open(options); !status.ok())
      return fail(status.with_prefix("database " + options.path));
    return engine;
  } catch (const soci::soci_error& error) {
    return fail(Code::kInternal, "database " + options.path + ": " + error.get_error_message());
  }
}

}  // namespace towline::control
