#include "modules/kubernetes_api/server/proxy.h"

#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/proto_wire.h"
#include "io/loop.h"
#include "modules/kubernetes_api/server/access_cache.h"
#include "modules/kubernetes_api/server/credentials.h"
#include "modules/kubernetes_api/server/status_reply.h"
#include "modules/kubernetes_api/wire.h"
#include "proto/methods.h"

namespace towline::kubernetes_api {
namespace {

namespace grpctool = ::gitlab::agent::grpctool;
namespace rpc = ::gitlab::agent::kubernetes_api::rpc;

constexpr std::string_view kExtraType = "type.googleapis.com/gitlab.agent.kubernetes_api.rpc.HeaderExtra";
// Calls that the agent did not look at are made again this often.
constexpr int kAttempts = 5;
// How long the client of an upgraded connection that the cluster has ended may take none of the rest.
constexpr std::chrono::seconds kCloseTime{30};

// What all requests share.
struct Context {
  ProxyOptions options;
  control::Backend& backend;
  std::shared_ptr<tunnel::Router> router;
  const Clock& clock;
  Logger log;
  std::function<void(const ProxyObservation&)> observe;
  AccessCache cache;
};

std::shared_ptr<const CachedAccess> prepare(control::Access access) {
  auto cached = std::make_shared<CachedAccess>();
  if (access.as) {
    rpc::HeaderExtra extra;
    auto& config = *extra.mutable_imp_config();
    config.set_username(access.as->username);
    config.set_uid(access.as->uid);
    for (const std::string& group : access.as->groups) config.add_groups(group);
    for (const auto& [key, values] : access.as->extra) {
      auto& entry = *config.add_extra();
      entry.set_key(key);
      for (const std::string& value : values) entry.add_val(value);
    }
    cached->extra = extra.SerializeAsString();
  }
  cached->access = std::move(access);
  return cached;
}

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
        timer_(loop_, [this] {
          if (closing_) return done(status_, false);
          fail({504, "the agent's cluster did not begin to answer within " +
                         std::to_string(context_->options.first_byte_timeout.count() / 1000) + " s"});
        }) {}

  void start() {
    keep_ = shared_from_this();
    exchange_->set_handler(this);
    Result<ProxyCredential> credential = take_credential(head_);
    if (!credential) return fail(error_for(credential.error()));
    agent_id_ = credential->agent_id;
    const std::uint64_t generation = context_->backend.access_generation();
    if (auto cached = context_->cache.find(agent_id_, credential->token, generation))
      return authorized(std::move(cached));
    ask(std::move(credential->token), generation);
  }

  // The client's side.
  void on_body(std::span<const std::byte> data) override {
    if (closing_) return exchange_->consume(data.size());
    from_client_.received(data.size());
    body_begun_ = true;
    if (!call_) {
      early_.append(reinterpret_cast<const char*>(data.data()), data.size());  // at most a window
      return;
    }
    send_body(data);
    give_back_request();
  }
  void on_end(http::Headers) override {
    if (closing_) return done(status_, false);
    client_ended_ = true;
    if (!call_) return;
    end_request();
  }
  void on_sent(std::size_t) override {
    if (closing_) return timer_.start(kCloseTime);
    pull_response();
  }
  void on_failed(Status) override {
    exchange_.reset();
    done(499, false);
  }

 private:
  // The agent's side; a class of its own because both sides have an on_sent.
  class AgentSide final : public grpc::ClientCallHandler {
   public:
    explicit AgentSide(ProxiedRequest& request) : request_(request) {}
    void on_message(grpc::MessageView message) override { request_.agent_message(message); }
    void on_sent(std::size_t) override { request_.give_back_request(); }
    void on_finish(Status status, grpc::Metadata) override { request_.agent_finished(std::move(status)); }

   private:
    ProxiedRequest& request_;
  };

  void ask(Secret token, std::uint64_t generation) {
    Secret copy = token;
    context_->backend.access_by_token(
        loop_, agent_id_, std::move(token),
        [weak = weak_from_this(), generation, kept = std::move(copy)](Result<control::Access> answer) {
          const auto self = weak.lock();
          if (!self || !self->exchange_) return;
          if (!answer) return self->fail(error_for(answer.error()));
          auto access = prepare(std::move(*answer));
          self->context_->cache.put(self->agent_id_, kept, generation, access);
          self->authorized(std::move(access));
        });
  }

  void authorized(std::shared_ptr<const CachedAccess> access) {
    access_ = std::move(access);
    if (access_->access.as && impersonates(head_.headers)) {
      return fail({400,
                   "the request impersonates somebody, but access to this agent is already by impersonation "
                   "(access_as: user); use one of the two"});
    }
    header_message_ = header();
    connect();
  }

  std::string header() {
    HeaderArena arena;
    auto& message = arena.make<grpctool::HttpRequest>();
    auto& header = *message.mutable_header();
    auto& request = *header.mutable_request();
    request.set_method(head_.method);
    std::string_view path = head_.path();
    for (const std::string& prefix : context_->options.prefixes) {
      if (!path.starts_with(prefix)) continue;
      path.remove_prefix(prefix.size());
      break;
    }
    request.set_url_path(percent_decode(path).value_or(std::string(path)));
    if (path.empty()) request.set_url_path("/");
    query_to_map(head_.query(), *request.mutable_query());
    request.mutable_query()->erase("gitlab-agent-id");
    request.mutable_query()->erase("gitlab-csrf-token");
    if (!head_.upgrade.empty()) {
      head_.headers.set("connection", "Upgrade");
      head_.headers.set("upgrade", head_.upgrade);
    }
    to_map(head_.headers, *request.mutable_header());
    const bool none = !has_body_;
    header.set_content_length(none                   ? 0
                              : head_.content_length ? static_cast<std::int64_t>(*head_.content_length)
                                                     : -1);
    if (!access_->extra.empty()) {
      header.mutable_extra()->set_type_url(std::string(kExtraType));
      header.mutable_extra()->set_value(access_->extra);
    }
    return message.SerializeAsString();
  }

  void connect() {
    ++attempts_;
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
    if (number == kHeader && !answered_) {
      respond(bytes);
    } else if ((number == kData || number == kUpgradeData) && answered_) {
      const auto data = sole_field(branch->value);
      if (data) exchange_->write(grpc::message_view(data->value));
    } else if (number == kTrailer && answered_) {
      response_complete_ = true;
      if (!switched_) exchange_->end();
    } else {
      return fail({502, "the agent sent a malformed answer"});
    }
    pull_response();
  }

  void respond(std::string_view bytes) {
    HeaderArena arena;
    auto& message = arena.make<grpctool::HttpResponse>();
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return fail({502, "the agent sent a malformed answer"});
    }
    timer_.cancel();
    answered_ = true;
    std::string().swap(header_message_);
    const auto& response = message.header().response();
    http::ResponseHead head;
    head.status = response.status_code();
    head.headers = from_map(response.header());
    if (head.status == 101) {
      switched_ = true;
      head.upgrade = std::string(head.headers.get("upgrade").value_or(head_.upgrade));
    }
    if (head.status < 200 && !switched_) return fail({502, "the agent sent an impossible status"});
    http::remove_hop_by_hop(head.headers);
    if (const auto length = head.headers.get("content-length")) {
      head.content_length = std::strtoull(std::string(*length).c_str(), nullptr, 10);
      head.headers.remove("content-length");
    }
    status_ = head.status;
    exchange_->respond(head);
  }

  void agent_finished(Status status) {
    const auto self = shared_from_this();
    call_.reset();
    if (!exchange_) return done(status_, false);
    if (answered_) {
      // Without the trailer the answer is incomplete, which the client must not take for its end.
      if (switched_) return close_upgraded();
      if (!response_complete_) exchange_->reset();
      return done(status_, false);
    }
    if (status.code() == Code::kAborted && !body_begun_ && attempts_ < kAttempts) return connect();
    if (status.ok()) status = Status(Code::kUnavailable, "the agent ended the call without an answer");
    if (status.code() == Code::kNotFound) return fail_not_connected();
    fail(error_for(status));
  }

  // The cluster has ended an upgraded connection: what is left leaves, and the client ends its side.
  void close_upgraded() {
    closing_ = true;
    exchange_->end();
    if (client_ended_) return done(status_, false);  // it has nothing more to tell
    timer_.start(kCloseTime);
  }

  void fail_not_connected() {
    const std::string name =
        "agent \"" + access_->access.agent.name + "\" (id " + std::to_string(agent_id_) + ")";
    context_->backend.agent_last_seen(
        loop_, agent_id_,
        [weak = weak_from_this(), name](Result<std::optional<std::chrono::system_clock::time_point>> seen) {
          const auto self = weak.lock();
          if (!self) return;
          std::string message = name + " is not connected";
          if (seen && *seen) message += "; it was last seen at " + format_time(**seen);
          if (seen && !*seen) message += "; it has never connected";
          self->fail({503, message});
        });
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
    const auto duration = context_->clock.now() - started_;
    const std::string peer(exchange_ ? exchange_->peer() : std::string_view{});
    exchange_.reset();
    call_.reset();
    context_->observe({status, own_error, duration});
    if (!context_->log.enabled(LogLevel::kInfo)) return;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    const std::string_view user = access_ ? std::string_view(access_->access.username) : std::string_view{};
    if (error_.empty()) {
      context_->log.info("request", {{"agent_id", agent_id_},
                                     {"user", user},
                                     {"method", head_.method},
                                     {"path", head_.path()},
                                     {"status", status},
                                     {"duration_us", micros},
                                     {"peer", peer}});
    } else {
      context_->log.info("request", {{"agent_id", agent_id_},
                                     {"user", user},
                                     {"method", head_.method},
                                     {"path", head_.path()},
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
  io::Timer timer_;  // the first byte of the answer, or the end of an upgraded connection
  std::shared_ptr<ProxiedRequest> keep_;

  std::int64_t agent_id_ = 0;
  std::shared_ptr<const CachedAccess> access_;
  AgentSide agent_side_{*this};
  std::unique_ptr<grpc::ClientCall> call_;
  int attempts_ = 0;
  std::string header_message_;  // kept until the agent answers, to be sent again
  std::string early_;           // body that came before the call was made
  RelayCredit from_client_;
  RelayCredit from_agent_;
  bool body_begun_ = false;
  bool client_ended_ = false;
  bool answered_ = false;
  bool switched_ = false;  // 101: raw bytes both ways
  bool response_complete_ = false;
  bool closing_ = false;  // upgraded, and the agent's side is over
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
