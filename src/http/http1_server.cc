#include "http/http1_server.h"

#include <algorithm>
#include <utility>

#include "http/error_response.h"
#include "http/fields.h"

namespace towline::http {
namespace {

/// Limit: bytes of a request's body that nobody reads and that are thrown away to keep the connection; the
/// connection is closed after the answer. More costs more than a new connection.
constexpr std::size_t kMaxDiscard = 64 * 1024;
/// Limit: bytes of later requests that are kept while one is answered; the connection is not read.
constexpr std::size_t kMaxPipelined = 64 * 1024;
/// Limit: how long a connection is read from after its last response; it is closed. Closing it at once with
/// unread bytes would make the peer's system drop the response (RFC 9112, section 9.6).
constexpr std::chrono::seconds kLingerTime{2};
/// Limit: bytes that are read then; the connection is closed.
constexpr std::size_t kMaxLinger = 1024 * 1024;

}  // namespace

// --- input ---

bool Http1Server::use_input() {
  if (phase_ == Phase::kHead || expects_body()) {
    if (!parse()) return false;
  }
  if (phase_ == Phase::kRaw) return deliver_raw();
  if (phase_ == Phase::kLinger) {
    lingered_ += input_.size();
    input_.clear();
  }
  return true;
}

bool Http1Server::parse() {
  while ((phase_ == Phase::kHead || expects_body()) && !reset_ && input_.size() > 0) {
    const auto step = parser_.step(input_.bytes(), link_ != nullptr ? credit() : input_.size());
    input_.consume(step.consumed);
    switch (step.event) {
      case Http1Parser::Event::kNeedMore:
        return may_collect();
      case Http1Parser::Event::kBlocked:
        return true;
      case Http1Parser::Event::kFraming:
        break;
      case Http1Parser::Event::kHead:
        large_head_.leave();
        if (!begin_request()) return false;
        break;
      case Http1Parser::Event::kBody:
        if (!use_body(step.body)) return false;
        break;
      case Http1Parser::Event::kError:
        return refuse(Status(Code::kInvalidArgument, parser_.error().message), parser_.error().status);
    }
    if (expects_body() && !reset_ && parser_.done() && !end_request()) return false;
  }
  return true;
}

// Whether more of the head may come, or else the refusal.
bool Http1Server::may_collect() {
  const bool large = !parser_.head_done() && parser_.head_bytes() + input_.size() > kLargeHead;
  if (!large || large_head_.enter(limits_)) return true;
  return refuse(
      Status(Code::kResourceExhausted, "too many requests with large heads come at once; try again"), 503);
}

bool Http1Server::begin_request() {
  if (!known_ && loads_.unsent_is_full(limits_)) {
    return refuse(
        Status(Code::kResourceExhausted, "the server has too many answers that are not read; try again"),
        503);
  }
  const bool has_body = !parser_.done();
  keep_alive_ = parser_.keep_alive();
  awaits_continue_ = parser_.expects_continue();
  RequestHead head = parser_.take_request();
  head.scheme = stream_->secure() ? "https" : "http";
  is_head_ = head.method == "HEAD";
  upgrade_ = !head.upgrade.empty();
  request_done_ = !has_body;
  responded_ = false;
  discarded_ = 0;
  first_ = false;
  phase_ = Phase::kExchange;
  begin_exchange();
  auto exchange = std::make_unique<Exchange>(*this);
  return call([&] { handler_.on_request(std::move(head), has_body, std::move(exchange)); });
}

bool Http1Server::use_body(std::string_view body) {
  awaits_continue_ = false;
  received_ += body.size();
  if (link_ != nullptr) return deliver_body(body);
  discarded_ += body.size();
  return true;
}

bool Http1Server::end_request() {
  request_done_ = true;
  if (link_ == nullptr || link_->handler == nullptr) return true;
  return call([&] { link_->handler->on_end(parser_.take_trailers()); });
}

bool Http1Server::wants_input() const {
  switch (phase_) {
    case Phase::kHead:
      return !draining_;
    case Phase::kExchange:
      if (request_done_) return input_.size() < kMaxPipelined;  // to learn that the client went away
      return link_ != nullptr ? has_credit() : discarded_ <= kMaxDiscard;
    case Phase::kRaw:
      return link_ != nullptr && has_credit();
    case Phase::kLinger:
      return true;
    case Phase::kTaken:
      return false;
  }
  return false;
}

// A client that has ended its direction while it waits for a response counts as gone: curl, kubectl and
// browsers never half-close, and a watch must end when its reader does.
bool Http1Server::on_input_end(Status status) {
  if (phase_ == Phase::kRaw && status.ok()) return deliver_raw_end();
  const bool waits_for_us = phase_ == Phase::kRaw || (phase_ == Phase::kExchange && !our_end_);
  const bool owes_body = expects_body() && link_ != nullptr;
  if (waits_for_us || owes_body) {
    std::string message = "the client closed the connection";
    if (!status.ok()) message += ": " + status.message();
    fail(Status(Code::kCancelled, std::move(message)));
  }
  return true;
}

// Answers what cannot be handled, if no answer has begun, and closes.
bool Http1Server::refuse(Status failure, int status) {
  lose_liveness();
  ExchangeHandler* handler = detach();
  const std::string message = failure.message();
  if (handler != nullptr && !call([&] { handler->on_failed(std::move(failure)); })) return false;
  if (phase_ == Phase::kExchange && responded_) {
    reset_ = true;  // the response is cut short and the connection with it
    return true;
  }
  const Response answer = error_response(status, message);
  const ResponseHead head{.status = status, .headers = answer.headers};
  output_.add_text([&](std::string& out) {
    append_response_head(out, head, BodyFraming::kLength, answer.body.size(), true, loop_.clock().wall());
    out += answer.body;
  });
  linger();
  return true;
}

// --- output ---

void Http1Server::respond(const ResponseHead& head, bool end) {
  if (responded_ || phase_ != Phase::kExchange || reset_) return;
  if (const Status sound = check_to_send(head, limits_.header_bytes); !sound.ok()) {
    return refuse_response(sound, end);
  }
  if (head.status == 101) {
    switch_protocols(head);
  } else {
    respond_body(head, end);
  }
}

// Says so to the client, in place of a response that cannot be sent. What the handler writes is more than was
// announced, and goes nowhere.
void Http1Server::refuse_response(const Status& flaw, bool end) {
  const Response answer = error_response(502, "the response cannot be sent: " + flaw.message());
  respond_body({.status = answer.status, .headers = answer.headers, .content_length = answer.body.size()},
               false);
  write(std::as_bytes(std::span(answer.body)));
  our_end_ = end;
}

void Http1Server::respond_body(const ResponseHead& head, bool end) {
  responded_ = true;
  const bool forbidden = is_head_ || head.status == 204 || head.status == 304;
  std::optional<std::uint64_t> length = head.content_length;
  BodyFraming framing = BodyFraming::kNone;
  if (head.status == 204) {
    length.reset();
  } else if (!forbidden && end) {
    length = 0;
  } else if (!forbidden) {
    framing = length ? BodyFraming::kLength : BodyFraming::kChunked;
    if (framing == BodyFraming::kChunked && parser_.http10()) framing = BodyFraming::kUntilClose;
  }
  // A client that was not told to go on may send its body or not: where its next request begins is not known.
  keep_alive_ = keep_alive_ && !draining_ && !awaits_continue_;
  output_.add_text([&](std::string& out) {
    append_response_head(out, head, framing, length, !keep_alive_, loop_.clock().wall());
  });
  begin_body(framing, length.value_or(0), forbidden);
  our_end_ = end;
  request_run();
}

void Http1Server::switch_protocols(const ResponseHead& head) {
  if (!upgrade_) {
    fail(Status(Code::kInternal, "101 answers a request that asked for no upgrade"));
    return request_run();
  }
  responded_ = true;
  output_.add_text([&](std::string& out) {
    append_response_head(out, head, BodyFraming::kNone, std::nullopt, false, loop_.clock().wall());
  });
  phase_ = Phase::kRaw;
  begin_raw();
  request_run();
}

std::unique_ptr<io::Stream> Http1Server::take_stream() {
  if (phase_ != Phase::kRaw || reset_ || !failure_.ok()) return nullptr;
  // The 101 leaves first. A transport that does not take so little right after a request is as good as
  // broken.
  if (!output_.flush(*stream_) || !output_.empty()) return nullptr;
  phase_ = Phase::kTaken;
  detach();
  stream_->set_handler(nullptr);
  std::string rest = input_.take();
  request_run();
  return rest.empty() ? std::move(stream_) : io::unread(std::move(stream_), std::move(rest));
}

void Http1Server::abandon() {
  if (our_end_ && phase_ == Phase::kExchange) {
    detach();
    request_run();
  } else {
    reset();
  }
}

void Http1Server::on_consume() {
  if (!awaits_continue_ || responded_) return;
  awaits_continue_ = false;
  output_.add({{"HTTP/1.1 100 Continue\r\n\r\n"}});
  request_run();
}

// --- between messages ---

bool Http1Server::advance() {
  if (phase_ == Phase::kTaken || reset_) return close(Status());
  if (!failure_.ok()) return fail_now();
  const bool sent = our_end_ && output_.empty();
  if (phase_ == Phase::kHead && (draining_ || eof_)) return close(Status());
  if (phase_ == Phase::kExchange && sent) {
    if (eof_) return close(Status());
    if (request_done_) return next_request();
    if (link_ == nullptr && (!keep_alive_ || discarded_ > kMaxDiscard)) linger();
  }
  if (phase_ == Phase::kRaw && sent) {
    if (peer_ended_) return close(Status());
    if (!std::exchange(shut_, true)) stream_->shutdown_write();
  }
  if (phase_ == Phase::kLinger && output_.empty()) {
    if (eof_ || lingered_ > kMaxLinger) return close(Status());
    if (!std::exchange(shut_, true)) stream_->shutdown_write();
  }
  watch_time();
  return true;
}

bool Http1Server::next_request() {
  detach();
  if (!keep_alive_ || draining_) return close(Status());
  phase_ = Phase::kHead;
  parser_.next();
  read_timer_.cancel();
  watched_ = Waiting::kNothing;
  request_run();
  watch_time();
  return true;
}

void Http1Server::linger() {
  detach();
  phase_ = Phase::kLinger;
  request_run();
}

void Http1Server::closed(Status) {
  read_timer_.cancel();
  if (auto callback = std::exchange(on_closed_, nullptr)) callback();
}

// --- time ---

Http1Server::Waiting Http1Server::waiting() const {
  switch (phase_) {
    case Phase::kHead:
      return first_ || parser_.started() || input_.size() > 0 ? Waiting::kHead : Waiting::kRequest;
    case Phase::kExchange:
      if (request_done_ || awaits_continue_ || pauses_) return Waiting::kNothing;
      return wants_input() ? Waiting::kBody : Waiting::kNothing;
    case Phase::kLinger:
      return output_.empty() ? Waiting::kLinger : Waiting::kNothing;
    default:
      return Waiting::kNothing;
  }
}

std::chrono::milliseconds Http1Server::patience(Waiting what) const {
  switch (what) {
    case Waiting::kHead:
      return limits_.header_timeout;
    case Waiting::kRequest:
      return limits_.idle_timeout;
    case Waiting::kBody:
      return limits_.body_timeout;
    default:
      return kLingerTime;
  }
}

void Http1Server::watch_time() {
  const Waiting now = waiting();
  if (now == watched_) return;
  watched_ = now;
  received_ = 0;
  if (now == Waiting::kNothing) {
    read_timer_.cancel();
  } else {
    read_timer_.start(patience(now));
  }
}

void Http1Server::on_read_timeout() {
  const auto due = limits_.min_rate * static_cast<std::size_t>(limits_.body_timeout.count()) / 1000;
  if (watched_ == Waiting::kBody && std::exchange(received_, 0) >= std::max<std::size_t>(due, 1)) {
    return read_timer_.start(limits_.body_timeout);
  }
  const Waiting was = std::exchange(watched_, Waiting::kNothing);
  if (was == Waiting::kRequest || was == Waiting::kLinger) {
    reset_ = true;
  } else {
    const char* what = was == Waiting::kHead ? "the request's head did not come in time"
                                             : "the request's body did not come in time";
    if (!refuse(Status(Code::kDeadlineExceeded, what), 408)) return;
  }
  run();
}

std::unique_ptr<ServerConnection> serve_http1(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                              RequestHandler& handler, ServerConnectionOptions options,
                                              std::move_only_function<void()> on_closed) {
  return std::make_unique<Http1Server>(loop, std::move(stream), handler, options.limits,
                                       std::move(options.loads), std::move(on_closed));
}

}  // namespace towline::http
