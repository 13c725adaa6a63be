#include <utility>

#include "http/client.h"
#include "http/fields.h"
#include "http/http1_connection.h"

namespace towline::http {
namespace {

class Client final : public ClientConnection, private Http1Connection {
 public:
  Client(io::Loop& loop, std::unique_ptr<io::Stream> stream, const Limits& limits, ConnectionClosed on_closed)
      : Http1Connection(loop, std::move(stream), Http1Parser::Role::kResponses, limits),
        on_closed_(std::move(on_closed)) {}

  std::unique_ptr<ClientExchange> open(const RequestHead& head, bool end, ExchangeHandler* handler) override;
  std::size_t available() const override {
    return phase_ == Phase::kIdle && stream_ != nullptr && !eof_ && !reset_ && failure_.ok() ? 1 : 0;
  }
  std::size_t active() const override { return phase_ == Phase::kExchange || phase_ == Phase::kRaw ? 1 : 0; }

 private:
  enum class Phase {
    kIdle,
    kExchange,
    kRaw,    // after 101
    kTaken,  // the stream has another owner
    kOver,   // the last response is complete
  };

  class Exchange final : public Http1Exchange<ClientExchange> {
   public:
    explicit Exchange(Client& client) : Http1Exchange(client) {}
    std::unique_ptr<io::Stream> take_stream() override {
      return link_.connection != nullptr ? static_cast<Client&>(*link_.connection).take_stream() : nullptr;
    }
  };

  std::unique_ptr<io::Stream> take_stream();
  void abandon() override { reset(); }
  bool use_input() override;
  bool wants_input() const override;
  bool on_input_end(Status status) override;
  bool advance() override;
  void closed(Status why) override;

  void send_head(const RequestHead& head, bool end);
  bool parse();
  bool begin_response();
  bool switch_protocols(ResponseHead head);
  bool malformed(const std::string& what);
  ExchangeHandler* finish();

  ConnectionClosed on_closed_;
  Phase phase_ = Phase::kIdle;
  bool is_head_ = false;
  bool upgrade_ = false;
  bool answering_ = false;  // a byte has come back
  bool shut_ = false;
  int informational_ = 0;
};

std::unique_ptr<ClientExchange> Client::open(const RequestHead& head, bool end, ExchangeHandler* handler) {
  if (available() == 0) return nullptr;
  phase_ = Phase::kExchange;
  informational_ = 0;
  is_head_ = head.method == "HEAD";
  upgrade_ = !head.upgrade.empty();
  answering_ = false;
  parser_.next(is_head_);
  begin_exchange();
  auto exchange = std::make_unique<Exchange>(*this);
  exchange->set_handler(handler);
  if (const Status sound = check_to_send(head, limits_.header_bytes); !sound.ok()) {
    fail(sound.with_prefix("the request cannot be sent"));
  } else {
    send_head(head, end);
  }
  request_run();
  return exchange;
}

void Client::send_head(const RequestHead& head, bool end) {
  std::optional<std::uint64_t> length;
  BodyFraming framing = BodyFraming::kNone;
  if (end || upgrade_) {
    // Servers expect a length where a body is usual (RFC 9110, section 8.6).
    if (head.method == "POST" || head.method == "PUT" || head.method == "PATCH") length = 0;
  } else {
    length = head.content_length;
    framing = length ? BodyFraming::kLength : BodyFraming::kChunked;
  }
  output_.add_text([&](std::string& out) { append_request_head(out, head, framing, length); });
  if (upgrade_) {
    holding_ = true;  // what is written now is for the protocol to come
  } else {
    begin_body(framing, length.value_or(0), false);
    our_end_ = end;
  }
}

// --- input ---

bool Client::use_input() {
  answering_ = answering_ || input_.size() > 0;
  if (phase_ == Phase::kExchange && !parse()) return false;
  if (phase_ == Phase::kRaw) return deliver_raw();
  if (phase_ == Phase::kIdle && input_.size() > 0) {
    fail(Status(Code::kUnavailable, "the server at " + *peer_ + " sent bytes that answer no request"));
  }
  return true;
}

bool Client::parse() {
  while (phase_ == Phase::kExchange && link_ != nullptr && failure_.ok() && input_.size() > 0) {
    const auto step = parser_.step(input_.bytes(), credit());
    input_.consume(step.consumed);
    switch (step.event) {
      case Http1Parser::Event::kNeedMore:
      case Http1Parser::Event::kBlocked:
        return true;
      case Http1Parser::Event::kFraming:
        break;
      case Http1Parser::Event::kHead:
        if (!begin_response()) return false;
        continue;  // with what may be another message
      case Http1Parser::Event::kBody:
        if (!deliver_body(step.body)) return false;
        break;
      case Http1Parser::Event::kError:
        return malformed(parser_.error().message);
    }
    if (link_ == nullptr || !parser_.done()) continue;
    Headers trailers = parser_.take_trailers();
    ExchangeHandler* handler = finish();
    if (handler != nullptr && !call([&] { handler->on_end(std::move(trailers)); })) return false;
  }
  return true;
}

bool Client::begin_response() {
  ResponseHead head = parser_.take_response();
  if (head.status == 101) return switch_protocols(std::move(head));
  if (head.status < 200) {
    if (++informational_ > kMaxInformational) return malformed("too many informational responses");
    parser_.next(is_head_);
    return true;
  }
  const bool end = parser_.done();
  ExchangeHandler* handler = end ? finish() : link_->handler;
  return handler == nullptr || call([&] { handler->on_response(std::move(head), end); });
}

bool Client::switch_protocols(ResponseHead head) {
  if (!upgrade_) return malformed("it switches protocols unasked");
  phase_ = Phase::kRaw;
  begin_raw();
  request_run();
  ExchangeHandler* handler = link_->handler;
  return handler == nullptr || call([&] { handler->on_response(std::move(head), false); });
}

bool Client::malformed(const std::string& what) {
  fail(parser_.error().status == 431
           ? Status(Code::kResourceExhausted, "the response of " + *peer_ + " is too large: " + what)
           : Status(Code::kInternal, "the response of " + *peer_ + " is malformed: " + what));
  return true;
}

// The response is complete. The connection can be used again, if it can, before the handler learns of it. A
// server that answers before it has the whole request does not want the rest, and one that sends more than
// the answer is not to be trusted with another request.
ExchangeHandler* Client::finish() {
  const bool reusable =
      (our_end_ || upgrade_) && output_.empty() && parser_.keep_alive() && !eof_ && input_.size() == 0;
  phase_ = reusable ? Phase::kIdle : Phase::kOver;
  if (!reusable) output_.clear();
  holding_ = false;
  held_ = {};
  request_run();
  return detach();
}

bool Client::wants_input() const {
  switch (phase_) {
    case Phase::kIdle:
      return true;  // to learn that the server closed
    case Phase::kExchange:
      return has_credit();
    case Phase::kRaw:
      return !peer_ended_ && has_credit();
    case Phase::kTaken:
    case Phase::kOver:
      return false;
  }
  return false;
}

std::unique_ptr<io::Stream> Client::take_stream() {
  if (phase_ != Phase::kRaw || reset_ || !failure_.ok() || !output_.empty() || !held_.empty()) return nullptr;
  phase_ = Phase::kTaken;
  detach();
  stream_->set_handler(nullptr);
  std::string rest = input_.take();
  request_run();
  return rest.empty() ? std::move(stream_) : io::unread(std::move(stream_), std::move(rest));
}

bool Client::on_input_end(Status status) {
  if (phase_ == Phase::kRaw && status.ok()) return deliver_raw_end();
  if (phase_ == Phase::kExchange && status.ok() && link_ != nullptr && parser_.finish_at_eof()) {
    ExchangeHandler* handler = finish();
    return handler == nullptr || call([&] { handler->on_end({}); });
  }
  // A request of which the server has not said a byte may be made again by some (see client.h).
  const Code lost = phase_ == Phase::kExchange && !answering_ ? Code::kAborted : Code::kUnavailable;
  if (!status.ok()) {
    fail(Status(lost, status.with_prefix("the connection to " + *peer_ + " broke").message()));
  } else if (phase_ == Phase::kExchange) {
    const char* when = parser_.head_done() ? " closed the connection in the middle of its response"
                                           : " closed the connection before it answered";
    fail(Status(lost, "the server at " + *peer_ + when));
  } else {
    fail(Status(Code::kUnavailable, "the server at " + *peer_ + " closed the connection"));
  }
  return true;
}

// --- between messages ---

bool Client::advance() {
  if (phase_ == Phase::kTaken) return close(Status());
  if (reset_) return close(Status(Code::kCancelled, "a request was given up half-way"));
  if (!failure_.ok()) return fail_now();
  if (phase_ == Phase::kOver) {
    return close(Status(Code::kUnavailable, "the server keeps no connection after this response"));
  }
  if (phase_ == Phase::kRaw && our_end_ && output_.empty()) {
    if (peer_ended_) return close(Status(Code::kUnavailable, "the upgraded connection has ended"));
    if (!std::exchange(shut_, true)) stream_->shutdown_write();
  }
  return true;
}

void Client::closed(Status why) {
  phase_ = Phase::kOver;
  if (auto callback = std::exchange(on_closed_, nullptr)) callback(std::move(why));
}

}  // namespace

std::unique_ptr<ClientConnection> connect_http1(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                ClientConnectionOptions options, ConnectionClosed on_closed) {
  return std::make_unique<Client>(loop, std::move(stream), options.limits, std::move(on_closed));
}

}  // namespace towline::http
