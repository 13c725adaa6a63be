#include "control/store/database.h"

#include <condition_variable>
#include <mutex>
#include <vector>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "control/store/migrations.h"

namespace towline::control {
namespace {

using Session = std::unique_ptr<soci::session>;

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

Status status_of(const soci::soci_error& error) {
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  // Extended result codes keep the primary one in their low byte.
  const bool constraint = sqlite != nullptr && (sqlite->result() & 0xff) == SQLITE_CONSTRAINT;
  const std::string text = error.what();
  if (constraint && text.find("UNIQUE") != std::string::npos) {
    return {Code::kAlreadyExists, "it exists already"};
  }
  if (constraint) return {Code::kFailedPrecondition, "the change would break other records"};
  return {Code::kInternal, "database: " + text};
}

// Runs `body` between BEGIN and COMMIT; anything but success rolls back.
Status in_transaction(soci::session& sql, const std::function<Status(soci::session&)>& body) {
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

}  // namespace

struct Database::Impl {
  std::mutex write_mutex;
  Session writer;

  std::mutex read_mutex;
  std::condition_variable reader_free;
  std::vector<Session> readers;

  // A reading connection for the time of one piece of work.
  class Lease {
   public:
    explicit Lease(Impl& impl) : impl_(impl) {
      std::unique_lock lock(impl.read_mutex);
      impl.reader_free.wait(lock, [&] { return !impl.readers.empty(); });
      session_ = std::move(impl.readers.back());
      impl.readers.pop_back();
    }
    ~Lease() {
      {
        const std::lock_guard lock(impl_.read_mutex);
        impl_.readers.push_back(std::move(session_));
      }
      impl_.reader_free.notify_one();
    }
    soci::session& session() { return *session_; }

   private:
    Impl& impl_;
    Session session_;
  };
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const Options& options) {
  try {
    auto impl = std::make_unique<Impl>();
    impl->writer = connect(options);
    make_durable(*impl->writer);
    const Status migrated =
        in_transaction(*impl->writer, [](soci::session& sql) { return migrate(sql, all_migrations()); });
    if (!migrated.ok()) return fail(migrated.with_prefix("database " + options.path));
    for (int i = 0; i < options.readers; ++i) {
      impl->readers.push_back(connect(options));
      // The first read opens SQLite's files: now, not when descriptors have run short.
      int version = 0;
      *impl->readers.back() << "SELECT MAX(version) FROM schema_migrations", soci::into(version);
    }
    return std::unique_ptr<Database>(new Database(std::move(impl)));
  } catch (const soci::soci_error& error) {
    return fail(Code::kInternal, "database " + options.path + ": " + error.what());
  }
}

Status Database::execute(Kind kind, const Work& work) {
  try {
    if (kind == Kind::kRead) return work(Impl::Lease(*impl_).session());
    Status status;
    {
      const std::lock_guard lock(impl_->write_mutex);
      status = in_transaction(*impl_->writer, work);
    }
    if (status.ok() && kind == Kind::kWrite) bump();
    return status;
  } catch (const soci::soci_error& error) {
    return status_of(error);
  }
}

}  // namespace towline::control
