// The part of Http2Session that knows what streams owe: bytes of requests that do not come, bytes of ours
// that are not read. One timer looks at all streams of a connection, however many there are.
#include <algorithm>
#include <utility>

#include "http/error_response.h"
#include "http/http2_session.h"

namespace towline::http {
namespace {

constexpr std::chrono::seconds kDebtLook{15};

}  // namespace

void Http2Session::answer(Http2Stream& stream, int status, std::string_view message) {
  const Response response = error_response(status, message);
  submit_response(
      stream, {.status = status, .headers = response.headers, .content_length = response.body.size()}, false);
  if (!stream.swallow_body) {
    forget_unsent(stream);
    stream.out = response.body;
    note_unsent(stream, stream.out.size());
  }
  stream.end_wanted = true;
  resume(stream);
}

void Http2Session::fail_stream(Http2Stream& stream, std::uint32_t error_code, Status why) {
  if (stream.gone || stream.reset_wanted) return;
  stream.failure = std::move(why);
  reset(stream, error_code);
}

// --- bytes that wait ---

std::size_t Http2Session::unsent_budget() const {
  const Limits& limits = options_.limits;
  return known_ ? limits.connection_unsent : std::min(limits.connection_unsent, limits.stranger_unsent);
}

void Http2Session::note_unsent(Http2Stream& stream, std::size_t bytes) {
  unsent_ += bytes;
  unsent_share_.set(unsent_);
  if (!stream.pauses) watch_debts();
  if (unsent_ > unsent_budget() || options_.loads.unsent_is_full(options_.limits)) relieve();
}

void Http2Session::note_framed(std::size_t bytes) {
  unsent_ -= bytes;
  unsent_share_.set(unsent_);
}

void Http2Session::forget_unsent(Http2Stream& stream) {
  note_framed(stream.out.size() - stream.out_at);
  std::string().swap(stream.out);
  stream.out_at = 0;
}

// Gives up the answer that owes most. One alone may be as large as it is, and a relay's is never large.
void Http2Session::relieve() {
  Http2Stream* largest = nullptr;
  for (Http2Stream* each = streams_; each != nullptr; each = each->next) {
    if (largest == nullptr || each->waiting() > largest->waiting()) largest = each;
  }
  if (largest == nullptr || largest->waiting() <= (known_ ? kFairUnsent : kStrangersFairUnsent)) return;
  const bool alone = largest->waiting() == unsent_;
  if (alone && !options_.loads.unsent_is_full(options_.limits)) return;
  fail_stream(*largest, NGHTTP2_ENHANCE_YOUR_CALM,
              Status(Code::kResourceExhausted, "answers that are not read take too much memory"));
}

// --- bytes that are not consumed ---

std::size_t Http2Session::window_budget() const {
  const Limits& limits = options_.limits;
  return known_ ? limits.connection_window : std::min(limits.connection_window, limits.stranger_window);
}

void Http2Session::give_connection_credit() {
  if (held_connection_ == 0 || unconsumed_ >= window_budget()) return;
  nghttp2_session_consume_connection(session_, std::exchange(held_connection_, 0));
}

void Http2Session::peer_is_known() {
  if (closed_ || std::exchange(known_, true)) return;
  give_connection_credit();
  announce_more_streams();
}

// Not in the middle of a request's body: who uploads has no frame to answer meanwhile.
void Http2Session::announce_more_streams() {
  if (!is_server() || !known_ || serves_us_ || closed_ || announced_streams_ >= options_.limits.streams)
    return;
  for (const Http2Stream* each = streams_; each != nullptr; each = each->next) {
    if (each->head_received && !each->remote_ended) return;
  }
  announce_streams(options_.limits.streams);
}

// --- time ---

// Whether the client could send more of its request's body.
bool Http2Session::owes_body(const Http2Stream& stream) const {
  if (!is_server() || !stream.head_received || stream.remote_ended || stream.expects_continue) return false;
  const std::size_t window = stream.window_grown ? options_.limits.stream_window
                                                 : std::min(options_.limits.stream_window, kFirstWindow);
  return held_connection_ == 0 && stream.unconsumed * 2 < window;
}

void Http2Session::watch_debts() {
  if (!debts_.armed() && !closed_) debts_.start(kDebtLook);
}

void Http2Session::on_debts() {
  const std::shared_ptr<Http2Session> self = shared_from_this();
  const Limits& limits = options_.limits;
  const Clock::TimePoint now = loop_.now();
  std::vector<std::int32_t> late;
  bool more = false;
  for (Http2Stream* each = streams_; each != nullptr; each = each->next) {
    if (each->pauses || each->gone || each->reset_wanted) continue;
    const bool body = owes_body(*each);
    const bool unread = each->waiting() > 0;
    more = more || body || unread;
    if (!each->unread_pace.is_kept(now, unread, limits.write_timeout, limits.min_rate)) {
      fail_stream(*each, NGHTTP2_CANCEL,
                  Status(Code::kUnavailable, "the peer at " + peer_ + " leaves our bytes unread"));
    } else if (!each->body_pace.is_kept(now, body, limits.body_timeout, limits.min_rate)) {
      late.push_back(each->id);
    }
  }
  if (more) debts_.start(kDebtLook);
  for (const std::int32_t id : late) {
    if (closed_) return;
    if (Http2Stream* stream = find(id)) time_out_body(*stream);
  }
}

// Also when the response has begun: the rest of the request is not waited for.
void Http2Session::time_out_body(Http2Stream& stream) {
  static constexpr std::string_view kWhat = "the request's body did not come in time";
  ExchangeHandler* handler = std::exchange(stream.handler, nullptr);
  if (stream.handle != nullptr) std::exchange(stream.handle, nullptr)->detach();
  if (stream.head_sent) {
    reset(stream, NGHTTP2_CANCEL);
  } else {
    answer(stream, 408, kWhat);
  }
  if (handler != nullptr) handler->on_failed(Status(Code::kDeadlineExceeded, std::string(kWhat)));
}

void Http2Session::deliver_failures() {
  if (!failures_ || closed_) return;
  const std::shared_ptr<Http2Session> self = shared_from_this();
  failures_ = false;
  std::vector<Http2Stream*> gone;  // they stay until they are deleted here, or with the session
  for (Http2Stream* each = streams_; each != nullptr; each = each->next) {
    if (each->gone) gone.push_back(each);
  }
  for (Http2Stream* stream : gone) {
    if (closed_) return;
    ExchangeHandler* handler = stream->handler;
    const Status why = std::move(stream->failure);
    delete_stream(stream);
    if (handler != nullptr) handler->on_failed(why);
  }
  if (!closed_) close_when_done();
}

}  // namespace towline::http
