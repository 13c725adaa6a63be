#include "control/store/postgres_pool.h"

#include <algorithm>
#include <utility>

#include <soci/postgresql/soci-postgresql.h>

#include "base/encoding.h"

namespace towline::control {
namespace {

constexpr Backoff::Policy kPauses{.initial = std::chrono::milliseconds(100),
                                  .maximum = PostgresPool::kPatience};

void drop_notice(void*, const char*) {}

PGconn* raw_connection(soci::session& session) {
  return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

std::unique_ptr<soci::session> open_session(const PostgresAddress& address) {
  const soci::connection_parameters parameters(soci::postgresql, address.connection.reveal());
  auto session = std::make_unique<soci::session>(parameters);
  PGconn* const connection = raw_connection(*session);
  PQsetNoticeProcessor(connection, drop_notice, nullptr);
  // Details repeat values of the statement.
  PQsetErrorVerbosity(connection, PQERRORS_TERSE);
  return session;
}

// libpq's lines in one, without SOCI's own first one.
std::string one_line(const std::string& message) {
  std::string out;
  std::string_view rest = message;
  if (rest.starts_with("Cannot establish connection") && rest.find('\n') != std::string_view::npos) {
    rest.remove_prefix(rest.find('\n') + 1);
  }
  for (const char c : rest) {
    if (c == '\n' || c == '\t') {
      if (!out.empty() && out.back() != ' ') out.push_back(' ');
    } else {
      out.push_back(c);
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace

double random_fraction() {
  constexpr long long kSteps = 1 << 20;
  return static_cast<double>(random_id() % kSteps) / static_cast<double>(kSteps);
}

Status not_reachable() { return {Code::kUnavailable, "the database is not reachable"}; }

PostgresPool::PostgresPool(PostgresAddress address, int size, std::chrono::milliseconds time, Logger log)
    : address_(std::move(address)),
      time_(time),
      log_(std::move(log)),
      unused_(size),
      backoff_(kPauses, random_fraction) {}

PostgresPool::Lease::~Lease() {
  if (pool_) pool_->give_back(std::move(session_));
}

PGconn* PostgresPool::Lease::raw() { return raw_connection(*session_); }

void PostgresPool::Lease::lost() {
  session_.reset();
  std::vector<std::unique_ptr<soci::session>> idle;
  const std::lock_guard lock(pool_->mutex_);
  idle.swap(pool_->idle_);
}

void PostgresPool::give_back(std::unique_ptr<soci::session> session) {
  {
    const std::lock_guard lock(mutex_);
    ++unused_;
    if (session) idle_.push_back(std::move(session));
  }
  freed_.notify_one();
}

Result<PostgresPool::Lease> PostgresPool::take() {
  std::unique_lock lock(mutex_);
  const auto limit = clock_.now() + kPatience;
  for (;;) {
    freed_.wait(lock, [&] { return unused_ > 0; });
    if (!idle_.empty()) {
      auto session = std::move(idle_.back());
      idle_.pop_back();
      --unused_;
      return Lease(*this, std::move(session));
    }
    const auto now = clock_.now();
    if (!failing_ || (!trying_ && now >= next_attempt_)) break;
    if (now >= limit) return fail(not_reachable());
    freed_.wait_until(lock, trying_ ? limit : std::min(limit, next_attempt_));
  }
  trying_ = true;
  --unused_;
  lock.unlock();
  return connect();
}

Result<PostgresPool::Lease> PostgresPool::connect() {
  try {
    auto session = open_session(address_);
    *session << "SET statement_timeout = " + std::to_string(time_.count());
    note_success();
    return Lease(*this, std::move(session));
  } catch (const soci::soci_error& error) {
    give_back(nullptr);
    note_failure(one_line(error.get_error_message()));
    return fail(not_reachable());
  }
}

void PostgresPool::note_failure(const std::string& fault) {
  {
    const std::lock_guard lock(mutex_);
    if (!failing_)
      log_.warn("the database is not reachable", {{"database", address_.name}, {"error", fault}});
    failing_ = true;
    trying_ = false;
    fault_ = fault;
    next_attempt_ = clock_.now() + backoff_.next();
  }
  freed_.notify_all();
}

void PostgresPool::note_success() {
  {
    const std::lock_guard lock(mutex_);
    if (failing_) log_.info("the database is reachable again", {{"database", address_.name}});
    failing_ = false;
    trying_ = false;
    backoff_.reset();
  }
  freed_.notify_all();
}

Status PostgresPool::last_fault() {
  const std::lock_guard lock(mutex_);
  return {Code::kUnavailable, fault_};
}

}  // namespace towline::control
