#include "grpc/server.h"

#include <chrono>
#include <optional>
#include <utility>

#include "base/destruction_watch.h"
#include "grpc/frame.h"
#include "grpc/inbox.h"
#include "grpc/wire.h"
#include "io/loop.h"

namespace towline::grpc {
namespace {

http::ResponseHead response_head() {
  http::ResponseHead head;
  head.headers.add("content-type", "application/grpc");
  head.headers.add("grpc-accept-encoding", "identity,gzip");
  return head;
}

void refuse(http::ServerExchange& exchange, const Status& status) {
  http::ResponseHead head = response_head();
  add_status(head.headers, status);
  exchange.respond(head, true);
}

// A call that arrived over HTTP.
class HttpServerCall final : public ServerCall, public http::ExchangeHandler {
 public:
  HttpServerCall(std::unique_ptr<http::ServerExchange> exchange,
                 std::optional<std::chrono::nanoseconds> timeout, const MethodOptions& options,
                 std::shared_ptr<ServerBudget> budgets)
      : exchange_(std::move(exchange)),
        inbox_(*exchange_),
        deframer_(options.max_message),
        budgets_(std::move(budgets)),
        guarded_(options.guarded) {
    exchange_->set_handler(this);
    if (!timeout) return;
    deadline_.emplace(exchange_->loop(), [this] {
      cancel(Status(Code::kDeadlineExceeded, "the caller's deadline has passed"));
    });
    deadline_->start(*timeout);
  }

  ~HttpServerCall() override { release_budget(); }
  HttpServerCall(const HttpServerCall&) = delete;
  HttpServerCall& operator=(const HttpServerCall&) = delete;

  /// Counts the call as a stranger's until caller_is_known(). False: there are too many.
  bool enter_stranger() {
    stranger_ = budget().enter_stranger();
    return stranger_;
  }

  void set_handler(ServerCallHandler* handler) override { handler_ = handler; }

  void send_metadata(const Metadata& metadata) override {
    if (started_ || finished_) return;
    started_ = true;
    http::ResponseHead head = response_head();
    add_metadata(head.headers, metadata);
    exchange_->respond(head, false);
  }

  using ServerCall::send;
  void send(MessageParts parts) override {
    if (finished_) return;
    send_metadata({});
    std::size_t size = 0;
    for (const MessageView& part : parts) size += part.size();
    exchange_->write(message_prefix(size));
    for (const MessageView& part : parts) exchange_->write(part);
  }

  void finish(const Status& status, const Metadata& trailers) override {
    if (finished_) return;
    finished_ = true;
    if (deadline_) deadline_->cancel();
    http::Headers fields;
    add_status(fields, status);
    add_metadata(fields, trailers);
    if (started_) return exchange_->end(fields);
    http::ResponseHead head = response_head();
    for (const auto& [name, value] : fields) head.headers.add(name, value);
    exchange_->respond(head, true);
  }

  void consume(std::size_t bytes) override { inbox_.consumed(bytes); }
  std::size_t unsent() const override { return exchange_->unsent(); }
  io::Loop& loop() override { return exchange_->loop(); }
  std::string_view peer() const override { return exchange_->peer(); }
  void caller_is_known() override {
    exchange_->peer_is_known();
    budget().set_known();
    leave_stranger();
    (void)settle();
  }
  void allow_pauses() override { exchange_->allow_pauses(); }
  void set_message_limit(std::size_t bytes) override { deframer_.set_limit(bytes); }
  void set_stream_limit(std::uint32_t streams) override { exchange_->set_stream_limit(streams); }
  void close_connection() override { exchange_->close_connection(); }
  std::weak_ptr<const void> liveness() const override { return exchange_->liveness(); }

  void on_body(std::span<const std::byte> data) override {
    if (finished_) return exchange_->consume(data.size());
    inbox_.received(data.size());
    deframer_.push(data);
    while (true) {
      Result<std::optional<MessageView>> message = deframer_.next();
      if (!message) return cancel(message.error());
      if (!message->has_value()) break;
      inbox_.delivered((*message)->size());
      DestructionWatch watch(alive_);
      if (handler_ != nullptr) handler_->on_message(**message);
      if (watch.destroyed() || finished_) return;
    }
    if (stranger_) strangers_bytes_ += data.size();
    if (const Status status = settle(); !status.ok()) return cancel(status);
    inbox_.release();
  }
  void on_end(http::Headers) override {
    if (finished_) return;
    if (!deframer_.at_boundary()) return cancel(Status(Code::kInternal, "request ended within a message"));
    if (handler_ != nullptr) handler_->on_half_close();
  }
  void on_sent(std::size_t bytes) override {
    if (handler_ != nullptr && !finished_) handler_->on_sent(bytes);
  }
  void on_failed(Status status) override {
    const bool tell = !finished_;
    finished_ = true;
    release_budget();
    if (deadline_) deadline_->cancel();
    if (tell && handler_ != nullptr) handler_->on_cancelled(std::move(status));
  }

 private:
  // We end the call: both ends are told.
  void cancel(const Status& why) {
    if (finished_) return;
    finish(why, {});
    if (handler_ != nullptr) handler_->on_cancelled(why);
  }

  ConnectionBudget& budget() {
    if (budget_ == nullptr) {
      budget_ = budgets_->of(exchange_->liveness());
      // A method that lets everybody in has no strangers.
      if (!guarded_) budget_->set_known();
    }
    return *budget_;
  }
  // Brings the account up to date: most calls never hold anything, and have none.
  Status settle() {
    const std::size_t now = deframer_.unfinished() + (stranger_ ? strangers_bytes_ : 0);
    if (now == charged_) return {};
    return budget().change(std::exchange(charged_, now), now);
  }
  void leave_stranger() {
    if (std::exchange(stranger_, false)) budget_->leave_stranger();
  }
  void release_budget() {
    leave_stranger();
    if (charged_ > 0) (void)budget_->change(std::exchange(charged_, 0), 0);
  }

  std::unique_ptr<http::ServerExchange> exchange_;
  ServerCallHandler* handler_ = nullptr;
  Inbox inbox_;
  Deframer deframer_;
  std::shared_ptr<ServerBudget> budgets_;
  std::shared_ptr<ConnectionBudget> budget_;
  std::size_t charged_ = 0;
  std::size_t strangers_bytes_ = 0;
  const bool guarded_;
  bool stranger_ = false;
  std::optional<io::Timer> deadline_;
  DestructionWatch::Subject alive_;
  bool started_ = false;   // the response head is sent
  bool finished_ = false;  // nothing more is sent or told
};

// A unary call under way: keeps itself until it has answered or was cancelled.
class UnaryCall final : public ServerCallHandler, public std::enable_shared_from_this<UnaryCall> {
 public:
  using Serve = std::function<void(std::string, const Metadata&, io::Loop&, UnaryReply)>;

  static void start(IncomingCall call, const Serve& serve) {
    auto self = std::make_shared<UnaryCall>(std::move(call), serve);
    self->keep_ = self;
    self->call_->set_handler(self.get());
  }
  UnaryCall(IncomingCall call, const Serve& serve)
      : metadata_(std::move(call.metadata)), call_(std::move(call.call)), serve_(serve) {}

  void on_message(MessageView message) override {
    call_->consume(message.size());
    request_.assign(text_view(message));
    ++messages_;
  }
  void on_half_close() override {
    if (messages_ != 1) {
      return finish(fail(Code::kInvalidArgument,
                         "a unary call takes one message, this one sent " + std::to_string(messages_)));
    }
    serve_(std::move(request_), metadata_, call_->loop(),
           [weak = weak_from_this()](Result<std::string> reply) mutable {
             if (auto self = weak.lock()) self->finish(std::move(reply));
           });
  }
  void on_cancelled(Status) override { const auto last = std::move(keep_); }

 private:
  void finish(Result<std::string> reply) {
    const auto last = std::move(keep_);
    if (reply) {
      call_->send(message_view(*reply));
      call_->finish(Status());
    } else {
      call_->finish(reply.error());
    }
  }

  Metadata metadata_;
  std::unique_ptr<ServerCall> call_;
  const Serve& serve_;  // lives as long as the server's table
  std::string request_;
  int messages_ = 0;
  std::shared_ptr<UnaryCall> keep_;
};

}  // namespace

CallHandler unary(std::function<void(std::string, const Metadata&, io::Loop&, UnaryReply)> serve) {
  auto shared = std::make_shared<UnaryCall::Serve>(std::move(serve));
  return [shared](IncomingCall call) { UnaryCall::start(std::move(call), *shared); };
}

void Server::add(std::string method, CallHandler handler, MethodOptions options) {
  methods_[std::move(method)] = {std::move(handler), options};
}

const CallHandler* Server::find(std::string_view method) const {
  const auto found = methods_.find(method);
  return found == methods_.end() ? nullptr : &found->second.handler;
}

bool Server::is_grpc(const http::RequestHead& head) {
  const auto type = head.headers.get("content-type");
  return head.method == "POST" && type && type->starts_with("application/grpc") &&
         !type->starts_with("application/grpc-web");
}

void Server::on_request(http::RequestHead head, bool has_body,
                        std::unique_ptr<http::ServerExchange> exchange) {
  if (!is_grpc(head) || head.version != http::Version::kHttp2) {
    return exchange->respond({.status = 415, .content_length = 0}, true);
  }
  const std::string_view encoding = head.headers.get("grpc-encoding").value_or("identity");
  if (encoding != "identity" && encoding != "gzip") {
    return refuse(*exchange, Status(Code::kUnimplemented,
                                    "message encoding \"" + std::string(encoding) + "\" is not supported"));
  }
  const auto found = methods_.find(head.target);
  if (found == methods_.end() && !fallback_) {
    return refuse(*exchange, Status(Code::kUnimplemented, "unknown method " + head.target));
  }
  const CallHandler& handler = found == methods_.end() ? fallback_ : found->second.handler;
  const MethodOptions options = found == methods_.end() ? MethodOptions{} : found->second.options;
  std::optional<std::chrono::nanoseconds> timeout;
  if (const auto text = head.headers.get("grpc-timeout")) timeout = decode_timeout(*text);
  Metadata metadata = take_metadata(head.headers);
  auto call = std::make_unique<HttpServerCall>(std::move(exchange), timeout, options, budget_);
  HttpServerCall* raw = call.get();
  if (options.guarded && !raw->enter_stranger()) {
    return raw->finish(Status(Code::kResourceExhausted, "too many calls before it is known who makes them"),
                       {});
  }
  handler({.method = std::move(head.target), .metadata = std::move(metadata), .call = std::move(call)});
  if (!has_body) raw->on_end({});
}

}  // namespace towline::grpc
