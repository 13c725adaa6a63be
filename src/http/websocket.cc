#include "http/websocket.h"

#include <utility>

#include "http/client.h"
#include "http/simple.h"
#include "io/loop.h"
#include "io/websocket.h"

namespace towline::http {
namespace {

void refuse(ServerExchange& exchange, int status, std::string_view why) {
  Response response = json_message(status, why);
  if (status == 426) response.headers.add("sec-websocket-version", "13");
  send(exchange, response);
}

// A handshake under way.
class Handshake final : public io::Operation, public ExchangeHandler {
 public:
  Handshake(io::Loop& loop, std::unique_ptr<io::Stream> stream, WebSocketTarget target,
            std::chrono::milliseconds timeout, io::StreamCallback callback)
      : loop_(loop),
        protocol_(target.protocol),
        key_(io::websocket_key()),
        callback_(std::move(callback)),
        timer_(loop,
               [this] { finish(fail(Code::kDeadlineExceeded, "WebSocket handshake: no answer in time")); }) {
    connection_ = connect_http1(loop, std::move(stream), {}, [](const Status&) {});
    RequestHead head;
    head.method = "GET";
    head.target = std::move(target.target);
    head.authority = std::move(target.authority);
    head.headers = std::move(target.headers);
    head.headers.add("sec-websocket-version", "13");
    head.headers.add("sec-websocket-key", key_);
    head.headers.add("sec-websocket-protocol", protocol_);
    head.upgrade = "websocket";
    timer_.start(timeout);
    exchange_ = connection_->open(head, true, this);
    if (exchange_ == nullptr) {
      timer_.start(std::chrono::nanoseconds(0));
    }
  }

  void on_response(ResponseHead head, bool) override {
    if (head.status != 101) return finish(fail(refused(head)));
    const auto accept = head.headers.get("sec-websocket-accept");
    if (accept != io::websocket_accept(key_)) {
      return finish(fail(Code::kInternal, "WebSocket handshake: wrong Sec-WebSocket-Accept"));
    }
    if (head.headers.get("sec-websocket-protocol") != protocol_) {
      return finish(fail(Code::kInternal, "WebSocket handshake: the server does not speak " + protocol_));
    }
    std::unique_ptr<io::Stream> stream = exchange_->take_stream();
    if (stream == nullptr)
      return finish(fail(Code::kUnavailable, "WebSocket handshake: the connection broke"));
    finish(io::websocket_stream(loop_, std::move(stream), io::WebSocketRole::kClient));
  }
  void on_body(std::span<const std::byte>) override {}
  void on_end(Headers) override {}
  void on_failed(Status status) override { finish(fail(status.with_prefix("WebSocket handshake"))); }

 private:
  static Status refused(const ResponseHead& head) {
    std::string message = "WebSocket handshake: the server answered " + std::to_string(head.status) + " " +
                          std::string(reason_phrase(head.status));
    if (const auto location = head.headers.get("location")) {
      message += " (to " + std::string(*location) +
                 "); redirects are not followed, give that address, with its "
                 "trailing slash";
    } else if (head.status == 404) {
      message += "; is the path of the address right, with its trailing slash?";
    }
    return Status(Code::kUnavailable, std::move(message));
  }

  // The callback usually destroys this operation.
  void finish(Result<std::unique_ptr<io::Stream>> result) {
    timer_.cancel();
    exchange_.reset();
    if (callback_) std::exchange(callback_, {})(std::move(result));
  }

  io::Loop& loop_;
  std::string protocol_;
  std::string key_;
  io::StreamCallback callback_;
  io::Timer timer_;
  std::unique_ptr<ClientConnection> connection_;
  std::unique_ptr<ClientExchange> exchange_;
};

}  // namespace

std::unique_ptr<io::Stream> accept_websocket(const RequestHead& head,
                                             std::unique_ptr<ServerExchange> exchange,
                                             std::string_view protocol) {
  const auto key = head.headers.get("sec-websocket-key");
  if (!equals_ignoring_case(head.upgrade, "websocket") || !key) {
    refuse(*exchange, 400, "not a WebSocket handshake");
    return nullptr;
  }
  if (head.headers.get("sec-websocket-version") != "13") {
    refuse(*exchange, 426, "WebSocket version 13 is required");
    return nullptr;
  }
  if (!head.headers.has_token("sec-websocket-protocol", protocol)) {
    refuse(*exchange, 400, "the WebSocket subprotocol " + std::string(protocol) + " is required");
    return nullptr;
  }
  ResponseHead answer;
  answer.status = 101;
  answer.upgrade = "websocket";
  answer.headers.add("sec-websocket-accept", io::websocket_accept(*key));
  answer.headers.add("sec-websocket-protocol", protocol);
  exchange->respond(answer);
  io::Loop& loop = exchange->loop();
  std::unique_ptr<io::Stream> stream = exchange->take_stream();
  if (stream == nullptr) return nullptr;
  std::string peer = stream->peer() == exchange->peer() ? std::string() : std::string(exchange->peer());
  return io::websocket_stream(loop, std::move(stream), io::WebSocketRole::kServer, io::kMaxWebSocketMessage,
                              std::move(peer));
}

std::unique_ptr<io::Operation> connect_websocket(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                 WebSocketTarget target, std::chrono::milliseconds timeout,
                                                 io::StreamCallback callback) {
  return std::make_unique<Handshake>(loop, std::move(stream), std::move(target), timeout,
                                     std::move(callback));
}

}  // namespace towline::http
