#include "modules/kubernetes_api/server/proxy.h"

#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "base/proto_wire.h"
#include "base/retry.h"
#include "io/loop.h"
#include "modules/kubernetes_api/server/access_cache.h"
#include "modules/kubernetes_api/server/answer.h"
#include "modules/kubernetes_api/server/credentials.h"
#include "modules/kubernetes_api/server/request_header.h"
#include "modules/kubernetes_api/server/shares.h"
#include "modules/kubernetes_api/server/standing.h"
#include "modules/kubernetes_api/server/status_reply.h"
#include "modules/kubernetes_api/server/strangers.h"
#include "modules/kubernetes_api/wire.h"
#include "proto/methods.h"

namespace towline::kubernetes_api {
namespace {

// A call that the agent did not look at, because it was retiring the tunnel.
constexpr RetryPolicy kNotLookedAt{.repeats = 1, .pause = std::chrono::milliseconds(20)};
/// Limit: how long the client of an answer that has ended may take none of the rest; over it the rest is
/// lost.
constexpr std::chrono::seconds kCloseTime{30};
/// Limit: how long an upgraded connection (exec, port-forward) may hold bytes of its client that the cluster
/// does not take, while no byte moves in either direction; after twice the time at the latest it is cut. The
/// client may have died: its end stands behind those bytes.
constexpr std::chrono::minutes kStuck{10};
/// Limit: how long a request waits for an agent that was connected a moment ago; over it 503 with
/// Retry-After.
constexpr std::chrono::seconds kReconnectTime{5};
// An agent that was seen this long ago is expected back.
constexpr std::chrono::seconds kMoment{60};
// How often a waiting request looks for its agent, with as much jitter.
constexpr std::chrono::milliseconds kLookForAgent{100};
/// Limit: bytes of a request's path in the log; over it the rest is left out.
constexpr std::size_t kLoggedPath = 512;

// What all requests share.
struct Context {
  ProxyOptions options;
  control::Backend& backend;
  std::shared_ptr<tunnel::Router> router;
  const Clock& clock;
  Logger log;
  std::function<void(const ProxyObservation&)> observe;
  AccessCache cache;
  Strangers strangers{clock};
  Shares shares{options.requests_per_user};
  Standing standing{backend, cache, clock};
};

std::string format_time(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

bool impersonates(const http::Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (name.starts_with("impersonate-")) return true;
  }
  return false;
}

// One proxied request: an HTTP exchange on one side, a routed call on the other. Keeps itself.
class ProxiedRequest final : public http::ExchangeHandler,
                             public Standing::Request,
                             public std::enable_shared_from_this<ProxiedRequest> {
 public:
  ProxiedRequest(std::shared_ptr<Context> context, http::RequestHead head, bool has_body,
                 std::unique_ptr<http::ServerExchange> exchange)
      : context_(std::move(context)),
        head_(std::move(head)),
        has_body_(has_body),
        exchange_(std::move(exchange)),
        loop_(exchange_->loop()),
        started_(context_->clock.now()),
        timer_(loop_, [this] { on_timer(); }) {}
  ~ProxiedRequest() override { context_->standing.leave(*this); }
  ProxiedRequest(const ProxiedRequest&) = delete;
  ProxiedRequest& operator=(const ProxiedRequest&) = delete;

  void start() {
    keep_ = shared_from_this();
    exchange_->set_handler(this);
    Result<ProxyCredential> credential = take_credential(head_);
    if (!credential) return fail(error_for(credential.error()));
    agent_id_ = credential->agent_id;
    token_ = std::move(credential->token);
    generation_ = context_->backend.access_generation();
    if (auto cached = context_->cache.find(agent_id_, token_, generation_))
      return authorized(std::move(cached));
    if (const auto why = context_->strangers.refusal(agent_id_, token_, generation_, exchange_->peer())) {
      ProxyError error = error_for(*why);
      if (error.http_status == 429) error.retry_after_seconds = context_->strangers.retry_after();
      return fail(error);
    }
    ask();
  }

  // The client's side.
  void on_body(std::span<const std::byte> data) override {
    moved_ = true;
    if (phase_ >= Phase::kClosing) return exchange_->consume(data.size());
    from_client_.received(data.size());
    if (!call_) {
      early_.append(reinterpret_cast<const char*>(data.data()), data.size());  // at most a window
      return;
    }
    send_body(data);
    give_back_request();
  }
  void on_end(http::Headers) override {
    if (phase_ == Phase::kClosing) return done(status_, false);
    client_ended_ = true;
    if (!call_) return;
    end_request();
  }
  void on_sent(std::size_t) override {
    moved_ = true;
    if (phase_ == Phase::kCutting && exchange_->unsent() == 0) return cut();
    if (phase_ >= Phase::kClosing) return timer_.start(kCloseTime);
    pull_response();
  }
  void on_failed(Status) override {
    exchange_.reset();
    done(499, false);
  }

  // Standing::Request
  void withdrawn(const Status& why) override { fail(error_for(why)); }
  std::weak_ptr<Standing::Request> weak() override { return weak_from_this(); }

 private:
  enum class Phase {
    kRunning,
    kLooking,  // for an agent that has just gone
    kClosing,  // upgraded, and the agent's side is over
    kCutting,  // the agent's side broke in the middle of the answer, whose beginning is on its way
  };

  // The agent's side; a class of its own because both sides have an on_sent.
  class AgentSide final : public grpc::ClientCallHandler {
   public:
    explicit AgentSide(ProxiedRequest& request) : request_(request) {}
    void on_message(grpc::MessageView message) override { request_.agent_message(message); }
    void on_sent(std::size_t) override {
      request_.moved_ = true;
      request_.give_back_request();
    }
    void on_finish(Status status, grpc::Metadata) override { request_.agent_finished(std::move(status)); }

   private:
    ProxiedRequest& request_;
  };

  void ask() {
    context_->backend.access_by_token(
        loop_, agent_id_, token_, [weak = weak_from_this()](Result<control::Access> answer) {
          const auto self = weak.lock();
          if (!self || !self->exchange_) return;
          if (!answer) return self->refuse(answer.error());
          auto access = prepare_access(std::move(*answer));
          self->context_->strangers.right(self->agent_id_, self->token_);
          self->context_->cache.put(self->agent_id_, self->token_, self->generation_, access);
          self->authorized(std::move(access));
        });
  }

  void refuse(const Status& why) {
    if (why.code() == Code::kUnauthenticated) {
      context_->strangers.wrong(agent_id_, token_, generation_, exchange_->peer(), why);
    }
    fail(error_for(why));
  }

  void authorized(std::shared_ptr<const CachedAccess> access) {
    access_ = std::move(access);
    share_ = context_->shares.enter(agent_id_, access_->access.username);
    if (!share_) {
      return fail({429,
                   "you have " + std::to_string(context_->shares.most()) +
                       " requests running on this agent already; end some of them",
                   1});
    }
    exchange_->peer_is_known();
    exchange_->allow_pauses();
    if (access_->access.as && impersonates(head_.headers)) {
      return fail({400,
                   "the request impersonates somebody, but access to this agent is already by impersonation "
                   "(access_as: user); use one of the two"});
    }
    for (const std::string& prefix : context_->options.prefixes) {
      if (head_.path().starts_with(prefix)) prefix_ = prefix;
    }
    header_message_ = request_header(head_, has_body_, prefix_, access_->extra);
    // What is left of the head is for the log; a watch keeps it for hours.
    head_.headers = {};
    if (head_.target.size() > kLoggedPath) head_.target = std::string(logged_path());
    context_->standing.enter(loop_, *this);
    connect();
  }

  std::string_view logged_path() const { return head_.path().substr(0, kLoggedPath); }

  void on_timer() {
    switch (phase_) {
      case Phase::kRunning:
        if (switched_) return look_for_progress();
        return fail({504, "the agent's cluster did not begin to answer within " +
                              std::to_string(context_->options.first_byte_timeout.count() / 1000) + " s"});
      case Phase::kLooking:
        return look_for_agent();
      case Phase::kClosing:
        return done(status_, false);
      case Phase::kCutting:
        return cut();
    }
  }

  // Of an upgraded connection, on which people and programs may pause, but not for ever.
  void look_for_progress() {
    if (!std::exchange(moved_, false) && from_client_.owed() > 0) {
      return fail({504, "the cluster has taken none of the client's bytes for " +
                            std::to_string(kStuck.count()) + " minutes or more"});
    }
    timer_.start(kStuck);
  }

  void connect() {
    // A body that has been handed over cannot be sent again.
    if (has_body_ && !context_->router->connected(agent_id_)) return not_connected();
    if (std::exchange(phase_, Phase::kRunning) != Phase::kRunning) timer_.cancel();
    call_ = context_->router->call(loop_, agent_id_, method::kMakeRequest, {}, &agent_side_);
    call_->send(grpc::message_view(header_message_));
    if (!has_body_) return end_request();
    if (!early_.empty()) send_body(std::as_bytes(std::span(early_)));
    std::string().swap(early_);
    if (client_ended_) return end_request();
    if (exchange_) exchange_->consume(0);  // lets a client that expects "100 Continue" go on
    give_back_request();
  }

  void send_body(std::span<const std::byte> data) {
    body_sent_ = true;
    const std::uint32_t branch = switched_ ? kUpgradeData : kData;
    for (std::size_t at = 0; at < data.size(); at += kMaxPiece) {
      const auto piece = data.subspan(at, std::min(kMaxPiece, data.size() - at));
      const ProtoPrefix prefix = ProtoPrefix::nested(branch, kBytes, piece.size());
      const std::array<grpc::MessageView, 2> parts = {prefix.bytes(), piece};
      call_->send(grpc::MessageParts(parts));
    }
  }

  void end_request() {
    if (!switched_) {
      call_->send(grpc::message_view(kTrailerMessage));
      if (!answered_) timer_.start(context_->options.first_byte_timeout);
      // Upgraded bytes may follow the end of the request.
      if (!head_.upgrade.empty()) return;
    }
    call_->half_close();
  }

  void give_back_request() {
    if (!exchange_ || !call_) return;
    if (const std::size_t bytes = from_client_.take(call_->unsent())) exchange_->consume(bytes);
  }
  void pull_response() {
    if (!exchange_ || !call_) return;
    if (const std::size_t bytes = from_agent_.take(exchange_->unsent())) call_->consume(bytes);
  }

  void agent_message(grpc::MessageView message) {
    const auto self = shared_from_this();
    const std::string_view bytes = grpc::text_view(message);
    const auto branch = sole_field(bytes);
    const std::uint32_t number = branch ? branch->number : 0;
    from_agent_.received(bytes.size());
    moved_ = true;
    if (number == kHeader && !answered_) {
      respond(bytes);
    } else if ((number == kData || number == kUpgradeData) && answered_) {
      const auto data = sole_field(branch->value);
      if (data && !announced(data->value.size())) return begin_cut(mismatch());
      if (data) exchange_->write(grpc::message_view(data->value));
    } else if (number == kTrailer && answered_) {
      if (left_.value_or(0) > 0) return begin_cut(mismatch());
      response_complete_ = true;
      if (!switched_) exchange_->end();
    } else {
      return fail({502, "the agent sent a malformed answer"});
    }
    pull_response();
  }

  // Whether so many bytes more are within the answer's Content-Length. One that promises more or less than
  // comes would have clients on one connection take parts of answers for others.
  bool announced(std::size_t bytes) {
    if (!left_) return true;
    if (bytes > *left_) return false;
    *left_ -= bytes;
    return true;
  }
  static Status mismatch() {
    return {Code::kUnavailable, "its length is not the one that its Content-Length says"};
  }

  void respond(std::string_view bytes) {
    const std::string& outside = context_->options.external_path;
    const std::string joined = outside.empty() ? std::string() : outside + std::string(prefix_);
    const std::string_view prefix = outside.empty() ? prefix_ : std::string_view(joined);
    Result<http::ResponseHead> head = read_answer(bytes, {.upgrade = head_.upgrade, .prefix = prefix});
    if (!head) return fail(error_for(head.error()));
    timer_.cancel();
    answered_ = true;
    std::string().swap(header_message_);
    switched_ = head->status == 101;
    status_ = head->status;
    if (head_.method != "HEAD" && status_ != 304) left_ = head->content_length;
    if (switched_) timer_.start(kStuck);
    exchange_->respond(*head);
  }

  void agent_finished(Status status) {
    const auto self = shared_from_this();
    call_.reset();
    if (!exchange_) return done(status_, false);
    if (answered_) {
      if (switched_) return close_upgraded();
      if (response_complete_) return done(status_, false);
      return begin_cut(status);
    }
    if (status.code() == Code::kAborted && !body_sent_) {
      // The timer is not needed otherwise before the request has ended.
      if (const auto pause = retry_.next(Attempt::kNotProcessed, false)) return connect_after(*pause);
    }
    if (status.ok()) status = Status(Code::kUnavailable, "the agent ended the call without an answer");
    if (status.code() == Code::kNotFound) return not_connected();
    fail(error_for_call(status));
  }

  void connect_after(std::chrono::milliseconds pause) {
    if (pause.count() == 0) return connect();
    phase_ = Phase::kLooking;
    timer_.start(pause);
  }

  // Without its end the answer is incomplete, and the client must not take what came for all of it; but what
  // came is the client's.
  void begin_cut(const Status& why) {
    call_.reset();
    error_ = "the answer broke off: " + why.message();
    phase_ = Phase::kCutting;
    timer_.start(exchange_->unsent() == 0 ? std::chrono::nanoseconds(0)
                                          : std::chrono::nanoseconds(kCloseTime));
  }
  void cut() {
    exchange_->reset();
    done(status_, false);
  }

  // The cluster has ended an upgraded connection: what is left leaves, and the client ends its side.
  void close_upgraded() {
    phase_ = Phase::kClosing;
    exchange_->end();
    if (client_ended_) return done(status_, false);  // it has nothing more to tell
    timer_.start(kCloseTime);
  }

  // Agents come and go, for a newer version or at a balancer's whim: one that was there a moment ago is
  // waited for.
  void not_connected() {
    context_->backend.agent_last_seen(
        loop_, agent_id_,
        [weak = weak_from_this()](Result<std::optional<std::chrono::system_clock::time_point>> seen) {
          const auto self = weak.lock();
          if (!self || !self->exchange_) return;
          self->last_seen_ = seen ? *seen : std::nullopt;
          const bool known = seen.has_value();
          const bool recent = self->last_seen_ && self->context_->clock.wall() - *self->last_seen_ < kMoment;
          const auto waits_since = self->looks_since_.value_or(self->context_->clock.now());
          self->looks_since_ = waits_since;
          if (recent && !self->body_sent_ && self->context_->clock.now() - waits_since < kReconnectTime) {
            return self->look_soon();
          }
          self->fail_not_connected(known, recent);
        });
  }

  void look_for_agent() {
    const auto now = context_->clock.now();
    if (!looks_since_ || context_->router->connected(agent_id_)) return connect();
    if (now - *looks_since_ >= kReconnectTime) return fail_not_connected(true, true);
    look_soon();
  }

  void look_soon() {
    phase_ = Phase::kLooking;
    // Requests that came at different times look at different times.
    timer_.start(kLookForAgent + (started_.time_since_epoch() % kLookForAgent));
  }

  void fail_not_connected(bool known, bool recent) {
    std::string message = "agent \"" + access_->access.agent.name + "\" (id " + std::to_string(agent_id_) +
                          ") is not connected";
    if (last_seen_) message += "; it was last seen at " + format_time(*last_seen_);
    if (known && !last_seen_) message += "; it has never connected";
    fail({503, message, recent ? 2 : 10});
  }

  void fail(const ProxyError& error) {
    const auto self = shared_from_this();
    timer_.cancel();
    call_.reset();
    error_ = error.message;
    if (exchange_ && answered_) exchange_->reset();
    if (exchange_ && !answered_) reply(*exchange_, error);
    done(error.http_status, true);
  }

  // The end, however it came: one line in the log, and nothing is kept.
  void done(int status, bool own_error) {
    const auto self = std::move(keep_);
    if (!self) return;
    timer_.cancel();
    context_->standing.leave(*this);
    if (share_) context_->shares.leave(*share_);
    const auto duration = context_->clock.now() - started_;
    const std::string peer(exchange_ ? exchange_->peer() : std::string_view{});
    exchange_.reset();
    call_.reset();
    const bool stranger = access_ == nullptr && (status == 401 || status == 429);
    context_->observe({status, own_error, stranger, duration});
    // Strangers may ask as often as they like; what they ask is not for the log.
    if (!context_->log.enabled(LogLevel::kInfo) || stranger) return;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    const std::string_view user = access_ ? std::string_view(access_->access.username) : std::string_view{};
    if (error_.empty()) {
      context_->log.info("request", {{"agent_id", agent_id_},
                                     {"user", user},
                                     {"method", head_.method},
                                     {"path", logged_path()},
                                     {"status", status},
                                     {"duration_us", micros},
                                     {"peer", peer}});
    } else {
      context_->log.info("request", {{"agent_id", agent_id_},
                                     {"user", user},
                                     {"method", head_.method},
                                     {"path", logged_path()},
                                     {"status", status},
                                     {"duration_us", micros},
                                     {"peer", peer},
                                     {"error", error_}});
    }
  }

  std::shared_ptr<Context> context_;
  http::RequestHead head_;
  const bool has_body_;
  std::unique_ptr<http::ServerExchange> exchange_;
  io::Loop& loop_;
  const Clock::TimePoint started_;
  io::Timer timer_;  // of the phase: the first byte, the next look, the end
  std::shared_ptr<ProxiedRequest> keep_;

  std::string_view prefix_;  // of the path; one of ProxyOptions::prefixes
  AgentSide agent_side_{*this};
  std::unique_ptr<grpc::ClientCall> call_;
  Retry retry_{kNotLookedAt};
  std::optional<Clock::TimePoint> looks_since_;  // for its agent
  std::optional<std::chrono::system_clock::time_point> last_seen_;
  std::string header_message_;  // kept until the agent answers, to be sent again
  std::string early_;           // body that came before the call was made
  RelayCredit from_client_;
  RelayCredit from_agent_;
  std::optional<std::uint64_t> left_;  // of the answer's Content-Length
  std::optional<Shares::Share> share_;
  bool moved_ = false;  // any byte since the last look
  bool body_sent_ = false;
  bool client_ended_ = false;
  bool answered_ = false;
  bool switched_ = false;  // 101: raw bytes both ways
  bool response_complete_ = false;
  Phase phase_ = Phase::kRunning;
  int status_ = 0;
  std::string error_;
};

class ProxyImpl final : public Proxy {
 public:
  explicit ProxyImpl(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  bool owns(std::string_view path) const override {
    for (const std::string& prefix : context_->options.prefixes) {
      if (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'))
        return true;
    }
    return false;
  }
  void on_request(http::RequestHead head, bool has_body,
                  std::unique_ptr<http::ServerExchange> exchange) override {
    std::make_shared<ProxiedRequest>(context_, std::move(head), has_body, std::move(exchange))->start();
  }

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace

std::unique_ptr<Proxy> Proxy::create(ProxyOptions options, control::Backend& backend,
                                     std::shared_ptr<tunnel::Router> router, const Clock& clock, Logger log,
                                     std::function<void(const ProxyObservation&)> observe) {
  const auto ttl = options.access_ttl;
  const std::size_t entries = options.access_entries;
  return std::make_unique<ProxyImpl>(std::shared_ptr<Context>(new Context{std::move(options),
                                                                          backend,
                                                                          std::move(router),
                                                                          clock,
                                                                          std::move(log),
                                                                          std::move(observe),
                                                                          {clock, ttl, entries}}));
}

}  // namespace towline::kubernetes_api
