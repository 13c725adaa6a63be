#include "http/simple.h"

#include <algorithm>
#include <span>
#include <utility>

#include "io/loop.h"

namespace towline::http {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

void append(std::string& text, std::span<const std::byte> data) {
  text.append(reinterpret_cast<const char*>(data.data()), data.size());
}

void append_json_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    } else {
      out += c;
    }
  }
}

Response too_large(std::size_t limit) {
  return json_message(413, "the request's body is larger than " + std::to_string(limit) + " bytes");
}

// Owns itself and the exchange until the body is complete, refused or lost.
class BodyCollector final : public ExchangeHandler {
 public:
  BodyCollector(RequestHead head, std::unique_ptr<ServerExchange> exchange, std::size_t limit, Collected done)
      : request_{.head = std::move(head), .peer = std::string(exchange->peer())},
        exchange_(std::move(exchange)),
        limit_(limit),
        done_(std::move(done)) {
    // A promise alone costs no more than this.
    request_.body.reserve(std::min<std::uint64_t>(request_.head.content_length.value_or(0), 64 * 1024));
    exchange_->set_handler(this);
    exchange_->consume(0);  // answers "Expect: 100-continue"
  }

  void on_body(std::span<const std::byte> data) override {
    if (data.size() > limit_ - request_.body.size()) {
      const std::unique_ptr<BodyCollector> self(this);
      send(*exchange_, too_large(limit_));
      return;
    }
    append(request_.body, data);
    exchange_->consume(data.size());
  }
  void on_end(Headers) override {
    const std::unique_ptr<BodyCollector> self(this);
    exchange_->set_handler(nullptr);
    done_(std::move(request_), std::move(exchange_));
  }
  void on_failed(Status) override { delete this; }

 private:
  Request request_;
  std::unique_ptr<ServerExchange> exchange_;
  std::size_t limit_;
  Collected done_;
};

class Fetch final : public io::Operation, public ExchangeHandler {
 public:
  Fetch(io::Loop& loop, std::size_t limit, Fetched done)
      : loop_(loop), limit_(limit), done_(std::move(done)) {}

  void start(const OpenExchange& open, const Request& request) {
    RequestHead head = request.head;
    head.content_length = request.body.size();
    exchange_ = open(head, request.body.empty(), this);
    if (exchange_ == nullptr) {
      loop_.defer([this, alive = std::weak_ptr<char>(alive_)] {
        if (!alive.expired()) finish(fail(Code::kUnavailable, "the connection takes no more requests"));
      });
    } else if (!request.body.empty()) {
      exchange_->write(bytes_of(request.body));
      exchange_->end();
    }
  }

  void on_response(ResponseHead head, bool end) override {
    response_.status = head.status;
    response_.headers = std::move(head.headers);
    if (end) finish(std::move(response_));
  }
  void on_body(std::span<const std::byte> data) override {
    if (data.size() > limit_ - response_.body.size()) {
      finish(fail(Code::kResourceExhausted,
                  "the response's body is larger than " + std::to_string(limit_) + " bytes"));
      return;
    }
    append(response_.body, data);
    exchange_->consume(data.size());
  }
  void on_end(Headers) override { finish(std::move(response_)); }
  void on_failed(Status status) override { finish(fail(std::move(status))); }

 private:
  // The last thing done here: the callback may destroy the operation.
  void finish(Result<Response> result) {
    exchange_.reset();
    const Fetched done = std::exchange(done_, nullptr);
    if (done) const_cast<Fetched&>(done)(std::move(result));
  }

  io::Loop& loop_;
  std::size_t limit_;
  Fetched done_;
  Response response_;
  std::unique_ptr<ClientExchange> exchange_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

Response json_message(int status, std::string_view message) {
  Response response{.status = status, .headers = {{"content-type", "application/json"}}};
  response.body = R"({"message":")";
  append_json_escaped(response.body, message);
  response.body += "\"}\n";
  return response;
}

void send(ServerExchange& exchange, const Response& response) {
  ResponseHead head{
      .status = response.status, .headers = response.headers, .content_length = response.body.size()};
  const bool bodiless = response.body.empty();
  exchange.respond(head, bodiless);
  if (bodiless) return;
  exchange.write(bytes_of(response.body));
  exchange.end();
}

void collect_body(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange,
                  std::size_t limit, Collected done) {
  if (!has_body) {
    std::string peer(exchange->peer());
    done(Request{.head = std::move(head), .peer = std::move(peer)}, std::move(exchange));
  } else if (head.content_length > limit) {
    send(*exchange, too_large(limit));
  } else {
    // Ends itself in one of its callbacks.
    new BodyCollector(std::move(head), std::move(exchange), limit, std::move(done));
  }
}

std::unique_ptr<io::Operation> fetch(io::Loop& loop, ClientConnection& connection, const Request& request,
                                     std::size_t limit, Fetched done) {
  return fetch(
      loop,
      [&](const RequestHead& head, bool end, ExchangeHandler* handler) {
        return connection.open(head, end, handler);
      },
      request, limit, std::move(done));
}

std::unique_ptr<io::Operation> fetch(io::Loop& loop, const OpenExchange& open, const Request& request,
                                     std::size_t limit, Fetched done) {
  auto operation = std::make_unique<Fetch>(loop, limit, std::move(done));
  operation->start(open, request);
  return operation;
}

}  // namespace towline::http
