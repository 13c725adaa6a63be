#include "grpc/client.h"

#include <utility>

#include "base/destruction_watch.h"
#include "grpc/frame.h"
#include "grpc/inbox.h"
#include "grpc/wire.h"
#include "http/client.h"
#include "io/loop.h"

namespace towline::grpc {
namespace {

class HttpClientCall final : public ClientCall, public http::ExchangeHandler {
 public:
  explicit HttpClientCall(ClientCallHandler* handler) : handler_(handler) {}

  bool start(io::Loop& loop, http::ClientConnection& connection, const http::RequestHead& head,
             std::optional<std::chrono::nanoseconds> timeout) {
    exchange_ = connection.open(head, false, this);
    if (exchange_ == nullptr) return false;
    inbox_.emplace(*exchange_);
    if (timeout) {
      deadline_.emplace(
          loop, [this] { finish(Status(Code::kDeadlineExceeded, "no answer within the deadline"), {}); });
      deadline_->start(*timeout);
    }
    return true;
  }

  using ClientCall::send;
  void send(MessageParts parts) override {
    if (exchange_ == nullptr) return;
    std::size_t size = 0;
    for (const MessageView& part : parts) size += part.size();
    exchange_->write(message_prefix(size));
    for (const MessageView& part : parts) exchange_->write(part);
  }
  void half_close() override {
    if (exchange_ != nullptr) exchange_->end();
  }
  void consume(std::size_t bytes) override {
    if (exchange_ != nullptr) inbox_->consumed(bytes);
  }
  std::size_t unsent() const override { return exchange_ == nullptr ? 0 : exchange_->unsent(); }
  void allow_pauses() override {
    if (exchange_ != nullptr) exchange_->allow_pauses();
  }

  void on_response(http::ResponseHead head, bool end) override {
    http_status_ = head.status;
    const auto type = head.headers.get("content-type");
    is_grpc_ = head.status == 200 && type && type->starts_with("application/grpc");
    if (end) return on_end(std::move(head.headers));
    if (is_grpc_) handler_->on_metadata(take_metadata(head.headers));
  }
  void on_body(std::span<const std::byte> data) override {
    if (!is_grpc_) return exchange_->consume(data.size());
    inbox_->received(data.size());
    deframer_.push(data);
    while (true) {
      Result<std::optional<MessageView>> message = deframer_.next();
      if (!message) return finish(message.error(), {});
      if (!message->has_value()) break;
      inbox_->delivered((*message)->size());
      DestructionWatch watch(alive_);
      handler_->on_message(**message);
      if (watch.destroyed()) return;
    }
    inbox_->release();
  }
  void on_end(http::Headers trailers) override {
    std::optional<Status> status = find_status(trailers);
    if (!status) {
      status = is_grpc_ ? Status(Code::kInternal, "the call ended without a status")
                        : status_from_http(http_status_);
    }
    if (status->ok() && !deframer_.at_boundary())
      status = Status(Code::kInternal, "response ended within a message");
    finish(std::move(*status), take_metadata(trailers));
  }
  void on_sent(std::size_t bytes) override { handler_->on_sent(bytes); }
  void on_failed(Status status) override { finish(std::move(status), {}); }

 private:
  void finish(Status status, Metadata trailers) {
    exchange_.reset();
    if (deadline_) deadline_->cancel();
    handler_->on_finish(std::move(status), std::move(trailers));
  }

  ClientCallHandler* handler_;
  std::unique_ptr<http::ClientExchange> exchange_;
  std::optional<Inbox> inbox_;
  Deframer deframer_;
  std::optional<io::Timer> deadline_;
  DestructionWatch::Subject alive_;
  int http_status_ = 0;
  bool is_grpc_ = false;
};

class UnaryClientCall final : public ClientCall, public ClientCallHandler {
 public:
  UnaryClientCall(std::move_only_function<void(Result<std::string>)> done, std::size_t max_reply)
      : done_(std::move(done)), max_reply_(max_reply) {}

  void set_call(std::unique_ptr<ClientCall> call) { call_ = std::move(call); }
  using ClientCall::send;
  void send(MessageParts parts) override { call_->send(parts); }
  void half_close() override { call_->half_close(); }
  void consume(std::size_t bytes) override { call_->consume(bytes); }
  std::size_t unsent() const override { return call_->unsent(); }

  void on_message(MessageView message) override {
    call_->consume(message.size());
    if (!done_) return;
    if (message.size() > max_reply_ || reply_) {
      auto done = std::exchange(done_, nullptr);
      return done(fail(Code::kResourceExhausted,
                       "the answer is longer than " + std::to_string(max_reply_) + " bytes"));
    }
    reply_.emplace(text_view(message));
  }
  void on_finish(Status status, Metadata) override {
    auto done = std::exchange(done_, nullptr);
    if (!done) return;
    if (!status.ok()) return done(fail(std::move(status)));
    if (!reply_) return done(fail(Code::kInternal, "the answer holds no message"));
    done(std::move(*reply_));
  }

 private:
  std::move_only_function<void(Result<std::string>)> done_;  // null once it has been called
  const std::size_t max_reply_;
  std::unique_ptr<ClientCall> call_;
  std::optional<std::string> reply_;
};

}  // namespace

std::unique_ptr<ClientCall> unary_call(const OpenCall& open, std::string_view request,
                                       std::move_only_function<void(Result<std::string>)> done,
                                       std::size_t max_reply) {
  auto unary = std::make_unique<UnaryClientCall>(std::move(done), max_reply);
  auto inner = open(unary.get());
  if (inner == nullptr) return nullptr;
  inner->send(message_view(request));
  inner->half_close();
  unary->set_call(std::move(inner));
  return unary;
}

Channel::Channel(io::Loop& loop, http::ClientConnection& connection, ChannelOptions options)
    : loop_(loop), connection_(connection), options_(std::move(options)) {}

std::unique_ptr<ClientCall> Channel::call(const std::string& method, const Metadata& metadata,
                                          ClientCallHandler* handler,
                                          std::optional<std::chrono::nanoseconds> timeout) {
  http::RequestHead head;
  head.method = "POST";
  head.target = method;
  head.authority = options_.authority;
  head.headers.add("content-type", "application/grpc");
  head.headers.add("te", "trailers");
  head.headers.add("grpc-accept-encoding", "identity,gzip");
  if (!options_.user_agent.empty()) head.headers.add("user-agent", options_.user_agent);
  if (timeout) head.headers.add("grpc-timeout", encode_timeout(*timeout));
  add_metadata(head.headers, options_.metadata);
  add_metadata(head.headers, metadata);
  auto call = std::make_unique<HttpClientCall>(handler);
  if (!call->start(loop_, connection_, head, timeout)) return nullptr;
  return call;
}

std::unique_ptr<ClientCall> Channel::unary(const std::string& method, std::string_view request,
                                           std::chrono::nanoseconds timeout,
                                           std::move_only_function<void(Result<std::string>)> done) {
  return unary_call([&](ClientCallHandler* handler) { return call(method, {}, handler, timeout); }, request,
                    std::move(done));
}

}  // namespace towline::grpc
