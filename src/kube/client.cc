#include "kube/client.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/retry.h"
#include "kube/pool.h"

namespace towline::kube {
namespace {

/// Limit: heads that are sent to the Kubernetes API over HTTP/2; larger ones go over an HTTP/1.1 connection
/// of their own. HTTP/2 libraries take heads of 64 KiB, compressed or not, and API servers take 1 MiB.
constexpr std::size_t kHttp2Head = 48 * 1024;

// Nobody knows what a request does that is sent twice, so a second time is for what was not done at all.
constexpr RetryPolicy kOnceMore{.repeats = 1};

// Methods that change nothing (RFC 9110, section 9.2.1).
bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD" || method == "OPTIONS"; }

// Whether a segment of the path is "." or ".." to anybody who decodes it.
bool has_dot_segment(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.find("/.") == path.npos && path.find('%') == path.npos && path.find('\\') == path.npos)
    return false;
  std::string decoded = percent_decode(path).value_or(std::string(path));
  std::ranges::replace(decoded, '\\', '/');
  for (std::string_view rest = decoded; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    rest.remove_prefix(slash == rest.npos ? rest.size() : slash + 1);
  }
  return false;
}

// Redirects of a server below a base path name it; whoever follows them adds it himself.
void strip_prefix(http::ResponseHead& head, std::string_view prefix) {
  if (prefix.empty()) return;
  for (const std::string_view name : {"location", "content-location"}) {
    const auto value = head.headers.get(name);
    if (!value || !value->starts_with(prefix) || value->substr(prefix.size(), 1) != "/") continue;
    head.headers.set(name, std::string(value->substr(prefix.size())));
  }
}

class ClientImpl;

// A request: first without, then with a connection.
class Request final : public http::ClientExchange, public http::ExchangeHandler, public Pool::Waiter {
 public:
  Request(std::shared_ptr<ClientImpl> client, http::RequestHead head, bool end,
          http::ExchangeHandler* handler);
  ~Request() override;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  void begin();
  /// Instead of begin(), for a path that would leave the server's base path.
  void refuse();

  void set_handler(http::ExchangeHandler* handler) override { handler_ = handler; }
  void write(std::span<const std::byte> data) override {
    if (exchange_) return exchange_->write(data);
    if (!over_) early_.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  void end(const http::Headers& trailers) override {
    if (exchange_) return exchange_->end(trailers);
    early_end_ = true;
  }
  std::size_t unsent() const override { return exchange_ ? exchange_->unsent() : early_.size(); }
  void consume(std::size_t bytes) override {
    if (exchange_) exchange_->consume(bytes);
  }
  void reset() override {
    handler_ = nullptr;
    stop();
  }
  void allow_pauses() override {
    pauses_ = true;
    if (exchange_) exchange_->allow_pauses();
  }
  io::Loop& loop() override;
  std::string_view peer() const override { return exchange_ ? exchange_->peer() : std::string_view{}; }

  void on_connection(const Pool::Lease& lease) override;
  void on_no_connection(Status why) override { fail(std::move(why)); }

  void on_response(http::ResponseHead head, bool end) override;
  void on_body(std::span<const std::byte> data) override { handler_->on_body(data); }
  void on_end(http::Headers trailers) override;
  void on_sent(std::size_t bytes) override { handler_->on_sent(bytes); }
  void on_failed(Status status) override;

 private:
  void authorized(Result<Authorization> authorization);
  void ask_for_connection(std::uint64_t newer_than);
  bool may_repeat(const Status& status);
  void fail(Status why);
  void stop();

  std::shared_ptr<ClientImpl> client_;
  http::RequestHead head_;
  bool no_body_;
  http::ExchangeHandler* handler_;
  std::unique_ptr<http::ClientExchange> exchange_;
  std::string early_;
  bool early_end_ = false;
  bool waiting_ = false;
  bool answered_ = false;
  bool reused_ = false;
  bool http2_ = false;
  bool pauses_ = false;
  std::uint64_t connection_ = 0;
  Retry retry_{kOnceMore};
  bool over_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

class ClientImpl final : public Client, public std::enable_shared_from_this<ClientImpl> {
 public:
  ClientImpl(io::Loop& loop, io::Dialer& dialer, ClusterConfig config, ClientOptions options, Logger log)
      : loop_(loop), config_(std::move(config)), log_(std::move(log)), pool_(loop, dialer, config_, options) {
    if (config_.server.path != "/") prefix_ = config_.server.path;
    while (!prefix_.empty() && prefix_.back() == '/') prefix_.pop_back();
  }

  std::unique_ptr<http::ClientExchange> start(http::RequestHead head, bool end,
                                              http::ExchangeHandler* handler) override {
    const bool leaves = !prefix_.empty() && has_dot_segment(head.target);
    head.target.insert(0, prefix_);
    head.scheme = config_.server.scheme;
    head.authority = config_.server.authority();
    auto request = std::make_unique<Request>(shared_from_this(), std::move(head), end, handler);
    leaves ? request->refuse() : request->begin();
    return request;
  }
  std::size_t connections() const override { return pool_.size(); }

  /// The server's base path, "/k8s/clusters/c-1", or empty.
  const std::string& prefix() const { return prefix_; }
  io::Loop& loop() { return loop_; }
  Pool& pool() { return pool_; }
  Credentials& credentials() { return *config_.credentials; }

  /// --as and as-groups: what the request itself says of impersonation goes before.
  void add_impersonation(http::Headers& headers) const {
    if (config_.impersonate_user.empty() || headers.has("impersonate-user")) return;
    headers.add("impersonate-user", config_.impersonate_user);
    for (const std::string& group : config_.impersonate_groups) headers.add("impersonate-group", group);
  }

 private:
  io::Loop& loop_;
  ClusterConfig config_;
  Logger log_;
  std::string prefix_;
  Pool pool_;
};

Request::Request(std::shared_ptr<ClientImpl> client, http::RequestHead head, bool end,
                 http::ExchangeHandler* handler)
    : client_(std::move(client)), head_(std::move(head)), no_body_(end), handler_(handler) {}

Request::~Request() { stop(); }

io::Loop& Request::loop() { return client_->loop(); }

void Request::begin() {
  waiting_ = true;
  client_->credentials().authorization(client_->loop(),
                                       [this, weak = std::weak_ptr<char>(alive_)](auto answer) {
                                         if (!weak.expired()) authorized(std::move(answer));
                                       });
}

void Request::refuse() {
  loop().post([this, weak = std::weak_ptr<char>(alive_)] {
    if (weak.expired()) return;
    fail(Status(Code::kInvalidArgument,
                "Kubernetes API: the path has a segment \".\" or \"..\", which could leave " +
                    client_->prefix() + ", below which this cluster's API is"));
  });
}

void Request::authorized(Result<Authorization> authorization) {
  if (!authorization) {
    // Possibly from inside start(): the handler is told later.
    client_->loop().post(
        [this, weak = std::weak_ptr<char>(alive_), why = std::move(authorization.error())]() mutable {
          if (!weak.expired()) fail(Status(Code::kUnauthenticated, why.message()));
        });
    return;
  }
  if (!authorization->header.empty()) head_.headers.set("authorization", authorization->header.reveal());
  client_->add_impersonation(head_.headers);
  ask_for_connection(0);
}

void Request::ask_for_connection(std::uint64_t newer_than) {
  waiting_ = true;
  const bool large = head_.target.size() + head_.headers.bytes() > kHttp2Head;
  client_->pool().acquire(*this, {.own = large || !head_.upgrade.empty(), .newer_than = newer_than});
}

void Request::on_connection(const Pool::Lease& lease) {
  waiting_ = false;
  reused_ = lease.reused;
  http2_ = lease.http2;
  connection_ = lease.id;
  exchange_ = lease.connection.open(head_, no_body_, this);
  if (!exchange_) {
    if (retry_.next(Attempt::kNotProcessed, false)) return ask_for_connection(connection_);
    return fail(Status(Code::kUnavailable, "Kubernetes API: the connection takes no request"));
  }
  if (pauses_) exchange_->allow_pauses();
  if (!early_.empty()) exchange_->write(std::as_bytes(std::span(early_)));
  std::string().swap(early_);
  if (early_end_) exchange_->end();
}

void Request::on_response(http::ResponseHead head, bool end) {
  answered_ = true;
  strip_prefix(head, client_->prefix());
  if (head.status == 401) client_->credentials().invalidate();
  if (end) {
    exchange_.reset();
    over_ = true;
    client_->pool().released();
  }
  handler_->on_response(std::move(head), end);
}

void Request::on_end(http::Headers trailers) {
  // An upgraded connection has two directions; the other one goes on.
  if (head_.upgrade.empty()) {
    over_ = true;
    client_->pool().released();
  }
  handler_->on_end(std::move(trailers));
}

void Request::on_failed(Status status) {
  exchange_.reset();
  client_->pool().released();
  if (may_repeat(status)) return ask_for_connection(connection_);
  // Whoever hears of ABORTED would make the request again.
  const Code code = status.code() == Code::kAborted ? Code::kUnavailable : status.code();
  fail(Status(code, "Kubernetes API: " + status.message()));
}

// ABORTED says that nothing came back. Over HTTP/2 the peer has said that it did not process the request
// (REFUSED_STREAM, or a GOAWAY that names an earlier stream); over HTTP/1.1 the connection ended before a
// byte of the answer, which leaves open whether the request was processed.
bool Request::may_repeat(const Status& status) {
  if (answered_ || !no_body_ || !head_.upgrade.empty() || status.code() != Code::kAborted) return false;
  if (!http2_ && !reused_) return false;
  return retry_.next(http2_ ? Attempt::kNotProcessed : Attempt::kUnanswered, is_safe(head_.method))
      .has_value();
}

void Request::fail(Status why) {
  waiting_ = false;
  over_ = true;
  if (http::ExchangeHandler* handler = std::exchange(handler_, nullptr)) handler->on_failed(std::move(why));
}

void Request::stop() {
  if (waiting_) client_->pool().forget(*this);
  waiting_ = false;
  over_ = true;
  if (!exchange_) return;
  exchange_.reset();
  client_->pool().released();
}

// Keeps the shared implementation, which requests keep too.
class ClientHandle final : public Client {
 public:
  explicit ClientHandle(std::shared_ptr<ClientImpl> impl) : impl_(std::move(impl)) {}
  std::unique_ptr<http::ClientExchange> start(http::RequestHead head, bool end,
                                              http::ExchangeHandler* handler) override {
    return impl_->start(std::move(head), end, handler);
  }
  std::size_t connections() const override { return impl_->connections(); }

 private:
  std::shared_ptr<ClientImpl> impl_;
};

}  // namespace

std::unique_ptr<Client> make_client(io::Loop& loop, io::Dialer& dialer, ClusterConfig config,
                                    ClientOptions options, Logger log) {
  return std::make_unique<ClientHandle>(
      std::make_shared<ClientImpl>(loop, dialer, std::move(config), options, std::move(log)));
}

}  // namespace towline::kube
