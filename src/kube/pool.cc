#include "kube/pool.h"

#include <algorithm>
#include <utility>

#include "io/stream.h"

namespace towline::kube {
namespace {

// Requests that may wait for one HTTP/2 connection that is being dialled; the usual stream limit of servers.
constexpr std::size_t kRequestsPerDial = 100;

// What requests get in addition to what their client has sent, credentials above all: a head that was taken
// as the largest one allowed can be sent on.
constexpr std::size_t kAdded = 64 * 1024;

}  // namespace

Pool::Pool(io::Loop& loop, io::Dialer& dialer, const ClusterConfig& config, ClientOptions options)
    : loop_(loop), dialer_(dialer), config_(config), options_(options), sweep_(loop, [this] { sweep(); }) {
  sweep_.start(options_.idle_timeout);
}

void Pool::acquire(Waiter& waiter, const Need& need) {
  if (need.own) return dial(&waiter);
  if (Connection* connection = find_free(need.newer_than)) return use(waiter, *connection);
  waiting_.push_back({&waiter, need.newer_than});
  dial_for_waiting();
}

void Pool::forget(Waiter& waiter) {
  std::erase_if(waiting_, [&](const Waiting& each) { return each.waiter == &waiter; });
  std::erase_if(dials_, [&](const Dial& each) { return each.own_of == &waiter; });
}

void Pool::released() {
  if (serve_scheduled_) return;
  serve_scheduled_ = true;
  loop_.defer([this, weak = std::weak_ptr<char>(alive_)] {
    if (weak.expired()) return;
    serve_scheduled_ = false;
    serve_waiting();
  });
}

Pool::Connection* Pool::find_free(std::uint64_t newer_than) {
  // The one used last is the one least likely to be stale; and idle ones can then go.
  for (auto it = connections_.rbegin(); it != connections_.rend(); ++it) {
    if (it->gone || it->own || it->id <= newer_than) continue;
    if (newer_than > 0 && it->used && !it->http2) continue;
    if (it->http->available() > 0) return &*it;
  }
  return nullptr;
}

void Pool::use(Waiter& waiter, Connection& connection) {
  connection.idle_since = loop_.now();
  const bool reused = std::exchange(connection.used, true);
  waiter.on_connection(
      {.connection = *connection.http, .id = connection.id, .http2 = connection.http2, .reused = reused});
}

void Pool::dial_for_waiting() {
  std::size_t dialling = 0;
  for (const Dial& each : dials_) dialling += each.own_of == nullptr ? 1 : 0;
  const std::size_t per_dial = server_speaks_http2_.value_or(true) ? kRequestsPerDial : 1;
  while (dialling * per_dial < waiting_.size()) {
    dial(nullptr);
    ++dialling;
  }
}

void Pool::dial(Waiter* own_of) {
  const bool secure = config_.server.scheme == "https";
  io::DialTarget target{.host = config_.server.host, .port = config_.server.port};
  if (secure) {
    Result<std::shared_ptr<io::TlsClientContext>> tls = config_.credentials->tls();
    dials_.push_back({.operation = nullptr, .own_of = own_of});
    const auto self = std::prev(dials_.end());
    if (!tls) {
      loop_.post([this, weak = std::weak_ptr<char>(alive_), self, why = std::move(tls.error())]() mutable {
        if (!weak.expired()) dialled(self, std::unexpected(std::move(why)));
      });
      return;
    }
    target.tls = std::move(*tls);
    target.tls_server_name = config_.tls_server_name;
    if (own_of == nullptr) target.alpn = {"h2", "http/1.1"};
    if (own_of != nullptr) target.alpn = {"http/1.1"};
    self->operation = dialer_.dial(loop_, std::move(target), options_.dial_timeout,
                                   [this, self](auto stream) { dialled(self, std::move(stream)); });
    return;
  }
  dials_.push_back({.operation = nullptr, .own_of = own_of});
  const auto self = std::prev(dials_.end());
  self->operation = dialer_.dial(loop_, std::move(target), options_.dial_timeout,
                                 [this, self](auto stream) { dialled(self, std::move(stream)); });
}

void Pool::dialled(std::list<Dial>::iterator dial, Result<std::unique_ptr<io::Stream>> stream) {
  Waiter* const own_of = dial->own_of;
  // The operation whose callback this is goes with the list's entry.
  const Dial finished = std::move(*dial);
  dials_.erase(dial);
  if (!stream) {
    if (own_of != nullptr) return own_of->on_no_connection(std::move(stream.error()));
    // All that wait fail: the next request dials anew.
    for (std::size_t n = waiting_.size(); n > 0 && !waiting_.empty(); --n) {
      Waiter* const waiter = waiting_.front().waiter;
      waiting_.pop_front();
      waiter->on_no_connection(stream.error());
    }
    return;
  }
  Connection* connection = add(std::move(*stream), own_of != nullptr);
  if (own_of != nullptr) return use(*own_of, *connection);
  server_speaks_http2_ = connection->http2;
  serve_waiting();
}

Pool::Connection* Pool::add(std::unique_ptr<io::Stream> stream, bool own) {
  Connection& connection = connections_.emplace_back();
  connection.id = ++last_id_;
  connection.http2 = stream->alpn() == "h2";
  connection.own = own;
  connection.idle_since = loop_.now();
  http::Limits limits = options_.limits;
  limits.header_bytes += kAdded;
  const http::ClientConnectionOptions options{
      .limits = limits, .keepalive = options_.keepalive, .keepalive_timeout = options_.keepalive_timeout};
  auto on_closed = [this, weak = std::weak_ptr<char>(alive_), raw = &connection](const Status&) {
    if (weak.expired()) return;
    raw->gone = true;
    released();
  };
  connection.http = connection.http2
                        ? http::connect_http2(loop_, std::move(stream), options, std::move(on_closed))
                        : http::connect_http1(loop_, std::move(stream), options, std::move(on_closed));
  return &connection;
}

void Pool::serve_waiting() {
  connections_.remove_if([](const Connection& each) {
    return (each.gone || (each.own && each.used)) && each.http->active() == 0;
  });
  while (!waiting_.empty()) {
    const Waiting next = waiting_.front();
    Connection* connection = find_free(next.newer_than);
    if (connection == nullptr) break;
    waiting_.pop_front();
    use(*next.waiter, *connection);
  }
  dial_for_waiting();
}

void Pool::sweep() {
  const Clock::TimePoint oldest = loop_.now() - options_.idle_timeout;
  std::size_t idle = 0;
  connections_.remove_if([&](const Connection& each) {
    if (each.http->active() > 0) return false;
    return each.gone || each.idle_since <= oldest || ++idle > options_.max_idle;
  });
  sweep_.start(options_.idle_timeout / 3);
}

}  // namespace towline::kube
