#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client.h"
#include "http/server.h"
#include "http/simple.h"
#include "io/loop.h"
#include "io/pair.h"

namespace towline::http {

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Writes down what an exchange's handler is told. A hook runs after the event is written down.
struct Recorder : ExchangeHandler {
  virtual ~Recorder() = default;
  std::unique_ptr<ServerExchange> server;
  std::unique_ptr<ClientExchange> client;
  std::optional<ResponseHead> response;
  bool response_ended = false;
  std::string body;
  std::size_t pieces = 0;
  bool ended = false;
  Headers trailers;
  std::size_t sent = 0;
  std::optional<Status> failed;
  bool auto_consume = true;
  std::function<void()> after_response, after_body, after_end, after_sent, after_failed;

  Exchange& exchange() { return server ? static_cast<Exchange&>(*server) : *client; }
  bool finished() const { return ended || response_ended; }

  void on_response(ResponseHead head, bool end) override {
    response = std::move(head);
    response_ended = end;
    if (after_response) after_response();
  }
  void on_body(std::span<const std::byte> data) override {
    body.append(reinterpret_cast<const char*>(data.data()), data.size());
    ++pieces;
    if (auto_consume) exchange().consume(data.size());
    if (after_body) after_body();
  }
  void on_end(Headers t) override {
    ended = true;
    trailers = std::move(t);
    if (after_end) after_end();
  }
  void on_sent(std::size_t bytes) override {
    sent += bytes;
    if (after_sent) after_sent();
  }
  void on_failed(Status status) override {
    failed = std::move(status);
    if (after_failed) after_failed();
  }
};

/// Keeps each request with its exchange, and runs `on` for it.
struct Requests : RequestHandler {
  struct Item : Recorder {
    RequestHead head;
    bool has_body = false;
  };
  std::vector<std::unique_ptr<Item>> items;
  std::function<void(Item&)> on = [](Item&) {};

  void on_request(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange) override {
    auto item = std::make_unique<Item>();
    item->head = std::move(head);
    item->has_body = has_body;
    item->server = std::move(exchange);
    item->server->set_handler(item.get());
    items.push_back(std::move(item));
    on(*items.back());
  }
};

/// Counts the write calls of the stream inside, and knows of the peer what it is told.
class CountingStream final : public io::Stream {
 public:
  CountingStream(std::unique_ptr<io::Stream> inner, int* writes,
                 const std::optional<io::PeerState>* peer = nullptr)
      : inner_(std::move(inner)), writes_(writes), peer_(peer) {}
  void set_handler(io::StreamHandler* handler) override { inner_->set_handler(handler); }
  io::Transfer read(std::span<std::byte> buffer) override { return inner_->read(buffer); }
  io::Transfer write(std::span<const iovec> pieces) override {
    ++*writes_;
    return inner_->write(pieces);
  }
  void shutdown_write() override { inner_->shutdown_write(); }
  const Status& error() const override { return inner_->error(); }
  std::string_view peer() const override { return inner_->peer(); }
  std::optional<io::PeerState> peer_state() const override {
    return peer_ == nullptr ? std::nullopt : *peer_;
  }

 private:
  std::unique_ptr<io::Stream> inner_;
  int* writes_;
  const std::optional<io::PeerState>* peer_;
};

/// A loop by a fake clock, and the raw end of a connection whose other end is under test.
class Wire {
 public:
  explicit Wire(std::size_t capacity = 64 * 1024) {
    auto [ours, theirs] = io::stream_pair(loop, capacity);
    raw = std::move(ours);
    under_test = std::make_unique<CountingStream>(std::move(theirs), &writes, &peer_state);
  }

  void poll() {
    while (loop.poll() > 0) {
    }
  }
  void advance(std::chrono::milliseconds by) {
    clock.advance(by);
    poll();
  }
  /// Writes all of `text`, running the loop.
  void send(std::string_view text) {
    while (!text.empty()) {
      const io::Transfer sent = io::write(*raw, bytes_of(text));
      if (sent.outcome == io::Outcome::kError) break;
      text.remove_prefix(sent.bytes);
      if (loop.poll() == 0 && sent.bytes == 0) break;
    }
    poll();
  }
  void send_by_bytes(std::string_view text) {
    for (const char& c : text) send({&c, 1});
  }
  /// All that has arrived, running the loop. Notes the end in `closed`.
  std::string receive() {
    std::string all;
    std::vector<std::byte> buffer(16 * 1024);
    poll();
    for (;;) {
      const io::Transfer got = raw->read(buffer);
      if (got.outcome != io::Outcome::kDone) {
        closed = closed || got.outcome != io::Outcome::kWouldBlock;
        if (loop.poll() == 0) return all;
        continue;
      }
      all.append(reinterpret_cast<const char*>(buffer.data()), got.bytes);
    }
  }
  std::string exchange(std::string_view text) {
    send(text);
    return receive();
  }

  FakeClock clock;
  io::Loop loop{clock};
  int writes = 0;
  std::optional<io::PeerState> peer_state;  // what the end under test knows of the raw one
  bool closed = false;
  std::unique_ptr<io::Stream> raw;
  std::unique_ptr<io::Stream> under_test;
};

/// A server at the other end of a wire, and what it is asked.
struct Served {
  void serve(Limits limits = {}) {
    connection = serve_http1(wire.loop, std::move(wire.under_test), requests, {.limits = limits}, [this] {
      gone = true;
      if (destroy_when_gone) connection.reset();
    });
    wire.poll();
  }
  static void hello(Requests::Item& item) {
    http::send(*item.server, {.headers = {{"a", "b"}}, .body = "hello"});
  }

  Wire wire;
  Requests requests;
  std::unique_ptr<ServerConnection> connection;
  bool gone = false;
  bool destroy_when_gone = true;
};

inline constexpr std::string_view kGet = "GET /x?y=1 HTTP/1.1\r\nHost: example.com\r\nAccept: a\r\n\r\n";
/// What Served::hello answers.
inline constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello";

/// `text` without its Date field, which tests do not care for.
inline std::string undated(std::string text) {
  static constexpr std::string_view kDate = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
  for (auto at = text.find(kDate); at != std::string::npos; at = text.find(kDate))
    text.erase(at, kDate.size());
  return text;
}

}  // namespace towline::http
