#include "control/store/postgres_changes.h"

#include <array>
#include <cstdlib>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

#include "base/backoff.h"
#include "base/encoding.h"
#include "control/store/postgres_pool.h"

namespace towline::control {
namespace {

// Several installations may live in schemas of one database.
#define TOWLINE_CHANNEL "'towline_' || quote_ident(current_schema())::regnamespace::oid"

constexpr std::chrono::milliseconds kCheckEvery{300};
constexpr std::chrono::milliseconds kFresh{1000};
constexpr std::chrono::milliseconds kPatience{5000};
constexpr Backoff::Policy kPauses{.initial = std::chrono::milliseconds(100),
                                  .maximum = std::chrono::milliseconds(2000)};

std::int64_t nanoseconds(Clock::TimePoint at) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

int make_event() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) std::abort();  // out of descriptors before anything has begun
  return fd;
}

void drop_notice(void*, const char*) {}

}  // namespace

const char* PostgresChanges::tell_statement() { return "SELECT pg_notify(" TOWLINE_CHANNEL ", :who)"; }

void PostgresChanges::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

PostgresChanges::PostgresChanges(Secret connection, std::function<void()> heard)
    : connection_string_(std::move(connection)),
      heard_(std::move(heard)),
      who_(std::to_string(random_id())),
      stop_event_(make_event()) {}

PostgresChanges::~PostgresChanges() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  ::close(stop_event_);
}

void PostgresChanges::start() {
  if (connect() && listen()) check();
  thread_ = std::thread([this] { run(); });
}

bool PostgresChanges::hears() const {
  const auto fresh = std::chrono::nanoseconds(kFresh).count();
  return heard_until_.load(std::memory_order_acquire) > nanoseconds(clock_.now()) - fresh;
}

void PostgresChanges::run() {
  Backoff backoff(kPauses, random_fraction);
  auto pause = kCheckEvery;
  while (wait(connection_ != nullptr, pause) != Wait::kStopping) {
    if (!connection_ && !(connect() && listen())) {
      connection_.reset();
      pause = backoff.next();
      continue;
    }
    // Answers to a check come first when a notification ends the pause; either way all there is gets read.
    if (!check()) connection_.reset();
    pause = connection_ ? kCheckEvery : std::chrono::milliseconds(0);
    if (connection_) backoff.reset();
  }
}

bool PostgresChanges::connect() {
  connection_.reset(PQconnectStart(connection_string_.reveal().c_str()));
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) return false;
  PQsetNoticeProcessor(connection_.get(), drop_notice, nullptr);
  const auto deadline = clock_.now() + kPatience;
  auto next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED || clock_.now() > deadline) return false;
    std::array<pollfd, 2> wanted{{{PQsocket(connection_.get()),
                                   static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0},
                                  {stop_event_, POLLIN, 0}}};
    ::poll(wanted.data(), wanted.size(), static_cast<int>(kFresh.count()));
    if (wanted[1].revents != 0) return false;
    if (wanted[0].revents != 0) next = PQconnectPoll(connection_.get());
  }
  return true;
}

PostgresChanges::Wait PostgresChanges::wait(bool for_connection, std::chrono::milliseconds longest) {
  // poll() passes over negative descriptors.
  std::array<pollfd, 2> wanted{
      {{for_connection ? PQsocket(connection_.get()) : -1, POLLIN, 0}, {stop_event_, POLLIN, 0}}};
  const int ready = ::poll(wanted.data(), wanted.size(), static_cast<int>(longest.count()));
  if (wanted[1].revents != 0) return Wait::kStopping;
  return ready > 0 ? Wait::kReady : Wait::kTimeout;
}

bool PostgresChanges::finish_query() {
  const auto deadline = clock_.now() + kPatience;
  while (PQisBusy(connection_.get()) != 0) {
    if (clock_.now() > deadline || wait(true, kCheckEvery) == Wait::kStopping) return false;
    if (PQconsumeInput(connection_.get()) == 0) return false;
  }
  bool good = true;
  while (PGresult* const result = PQgetResult(connection_.get())) {
    const auto status = PQresultStatus(result);
    good = good && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    PQclear(result);
  }
  return good;
}

bool PostgresChanges::listen() {
  // LISTEN takes no expression.
  static const std::string kListen = "DO $$ BEGIN EXECUTE 'LISTEN ' || " TOWLINE_CHANNEL
                                     "; END $$; SELECT pg_advisory_lock_shared(" +
                                     std::string(kInUse) + ")";
  if (PQsendQuery(connection_.get(), kListen.c_str()) == 0 || !finish_query()) return false;
  heard_();  // whatever was written before is news
  return true;
}

bool PostgresChanges::check() {
  const auto asked = clock_.now();
  if (PQsendQuery(connection_.get(), "SELECT 1") == 0 || !finish_query()) return false;
  if (!take_notifications()) return false;
  heard_until_.store(nanoseconds(asked), std::memory_order_release);
  return true;
}

bool PostgresChanges::take_notifications() {
  if (PQconsumeInput(connection_.get()) == 0) return false;
  bool news = false;
  while (PGnotify* const note = PQnotifies(connection_.get())) {
    news = news || who_ != note->extra;
    PQfreemem(note);
  }
  if (news) heard_();
  return true;
}

}  // namespace towline::control
