#include "http/http2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace towline::http {
namespace {

// Reads of one turn; then other connections of the loop have theirs.
constexpr int kReadsPerTurn = 8;
// The largest frame that is sent, with its header (the default SETTINGS_MAX_FRAME_SIZE).
constexpr std::size_t kFrameSize = 16384 + 9;

// How long a peer may take to answer the PING that ends draining; then idle connections close all the same.
constexpr std::chrono::seconds kDrainAnswer{5};

// Such a reader has taken this much.
constexpr std::size_t kGrowAfter = 256 * 1024;

std::string reset_message(std::uint32_t code) {
  return std::string("peer reset the stream: ") + nghttp2_http2_strerror(code);
}

Code reset_code(std::uint32_t code) {
  switch (code) {
    case NGHTTP2_CANCEL:
    case NGHTTP2_NO_ERROR:
      return Code::kCancelled;
    case NGHTTP2_REFUSED_STREAM:
      return Code::kAborted;
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return Code::kResourceExhausted;
    default:
      return Code::kInternal;
  }
}

}  // namespace

std::shared_ptr<Http2Session> Http2Session::start(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                  RequestHandler* handler, Options options,
                                                  Closed on_closed) {
  std::shared_ptr<Http2Session> session(
      new Http2Session(loop, std::move(stream), handler, std::move(options), std::move(on_closed)));
  session->begin();
  return session;
}

Http2Session::Http2Session(io::Loop& loop, std::unique_ptr<io::Stream> stream, RequestHandler* handler,
                           Options options, Closed on_closed)
    : loop_(loop),
      stream_(std::move(stream)),
      handler_(handler),
      options_(std::move(options)),
      on_closed_(std::move(on_closed)),
      peer_(stream_->peer()),
      secure_(stream_->secure()),
      large_head_(options_.loads),
      unsent_share_(options_.loads),
      known_(handler == nullptr),
      deadline_(loop, [this] { on_deadline(); }),
      write_stall_(loop, [this] { on_write_stall(); }),
      keepalive_(loop, [this] { on_keepalive(); }),
      max_age_(loop, [this] { drain(); }),
      debts_(loop, [this] { on_debts(); }),
      last_read_(loop.now()),
      resets_left_(options_.limits.reset_burst) {
  make_nghttp2();
}

Http2Session::~Http2Session() {
  while (streams_ != nullptr) delete_stream(streams_);
  nghttp2_session_del(session_);
}

void Http2Session::begin() {
  stream_->set_handler(this);
  const Limits& limits = options_.limits;
  const std::array<nghttp2_settings_entry, 5> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       is_server() ? std::min(limits.streams, limits.stranger_streams) : 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
       static_cast<std::uint32_t>(std::min(limits.stream_window, kFirstWindow))},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(std::min(limits.header_bytes, kAnnouncedHead))},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  if (is_server()) {
    const std::array<nghttp2_settings_entry, 4> server = {settings[0], settings[1], settings[2], settings[4]};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, server.data(), server.size());
  } else {
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data() + 1, 3);
  }
  // The connection's window only bounds what is in flight; credit is withheld by consume(), see
  // held_connection_.
  nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0,
      static_cast<std::int32_t>(std::min(limits.connection_window, 4 * limits.stream_window)));
  announced_streams_ = settings[0].value;
  schedule_flush();
  loop_.defer([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->on_readable();
  });
  if (is_server()) deadline_.start(limits.header_timeout);
  if (options_.keepalive.count() > 0) keepalive_.start(options_.keepalive);
  if (options_.max_age.count() > 0) max_age_.start(options_.max_age);
}

void Http2Session::on_readable() {
  if (closed_) return;
  const std::shared_ptr<Http2Session> self = shared_from_this();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const std::span<std::byte> buffer = loop_.scratch();
    const io::Transfer got = stream_->read(buffer);
    if (got.outcome == io::Outcome::kWouldBlock) return flush();
    if (got.outcome == io::Outcome::kEof) {
      return finish(Status(Code::kUnavailable, "connection to " + peer_ + " closed by peer"));
    }
    if (got.outcome == io::Outcome::kError) {
      return finish(stream_->error().with_prefix("connection to " + peer_));
    }
    receive(buffer.first(got.bytes));
    if (stopped()) return;
  }
  flush();
  if (closed_ || read_scheduled_) return;
  read_scheduled_ = true;
  loop_.defer([weak = weak_from_this()] {
    const auto session = weak.lock();
    if (!session) return;
    session->read_scheduled_ = false;
    session->on_readable();
  });
}

void Http2Session::receive(std::span<const std::byte> bytes) {
  last_read_ = loop_.now();
  in_nghttp2_ = true;
  const ssize_t n =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  in_nghttp2_ = false;
  if (stopped()) return;
  update_timers();
  if (n < 0) {
    flush();  // the GOAWAY that says why
    return finish(Status(Code::kInternal,
                         "HTTP/2 connection to " + peer_ + ": " + nghttp2_strerror(static_cast<int>(n))));
  }
  close_when_done();
}

void Http2Session::on_writable() {
  if (closed_) return;
  const std::shared_ptr<Http2Session> self = shared_from_this();
  flush();
}

void Http2Session::schedule_flush() {
  if (flush_scheduled_ || closed_ || in_nghttp2_) return;
  flush_scheduled_ = true;
  loop_.defer([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->flush_scheduled_ = false;
    self->flush();
    if (!self->closed_) self->deliver_sent();
  });
}

void Http2Session::append_out(std::span<const std::byte> bytes) {
  if (pending_.empty() && bytes.size() <= out_.size() - out_size_) {
    std::memcpy(out_.data() + out_size_, bytes.data(), bytes.size());
    out_size_ += bytes.size();
  } else {
    pending_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

// Hands the gathered bytes to the transport and keeps what it does not take. False: no more can go now.
bool Http2Session::write_out() {
  const std::array<iovec, 2> pieces = {{{out_.data(), out_size_}, {pending_.data(), pending_.size()}}};
  const std::size_t first = out_size_ == 0 ? 1 : 0;
  const std::size_t count = (pending_.empty() ? 1U : 2U) - first;
  const std::size_t total = out_size_ + pending_.size();
  if (total == 0) return true;
  const io::Transfer put = stream_->write(std::span(pieces).subspan(first, count));
  if (put.outcome == io::Outcome::kError) {
    fail(stream_->error().with_prefix("connection to " + peer_));
    return false;
  }
  if (put.bytes == total) {
    pending_.clear();
    if (pending_.capacity() > 4096) pending_.shrink_to_fit();
    write_stall_.cancel();
    out_size_ = 0;
    return true;
  }
  if (put.bytes < out_size_) {
    pending_.insert(0, reinterpret_cast<const char*>(out_.data()) + put.bytes, out_size_ - put.bytes);
  } else {
    pending_.erase(0, put.bytes - out_size_);
  }
  out_size_ = 0;
  if (put.bytes > 0 || !write_stall_.armed()) write_stall_.start(options_.limits.write_timeout);
  return false;
}

void Http2Session::flush() {
  if (closed_ || in_nghttp2_) return;
  out_ = loop_.output_scratch();
  out_size_ = 0;
  bool more = pending_.empty() || write_out();
  while (more && !closed_) {
    bool drained = false;
    while (pending_.empty() && out_size_ + kFrameSize <= out_.size()) {
      const std::uint8_t* data = nullptr;
      in_nghttp2_ = sending_ = true;
      const ssize_t n = nghttp2_session_mem_send(session_, &data);
      in_nghttp2_ = sending_ = false;
      if (n < 0) return fail(Status(Code::kInternal, nghttp2_strerror(static_cast<int>(n))));
      if (n == 0) {
        drained = true;
        break;
      }
      append_out(std::as_bytes(std::span(data, static_cast<std::size_t>(n))));
    }
    more = write_out() && !drained;
  }
  if (closed_) return;
  if (!sent_list_.empty() || failures_) schedule_flush();
  update_timers();
  close_when_done();
}

// What was framed since the last time is told to the handlers, from the loop.
void Http2Session::deliver_sent() {
  const std::shared_ptr<Http2Session> self = shared_from_this();
  while (!sent_list_.empty() && !closed_) {
    Http2Stream* stream = sent_list_.back();
    sent_list_.pop_back();
    stream->in_sent_list = false;
    const std::size_t sent = std::exchange(stream->sent, 0);
    if (stream->handler != nullptr) stream->handler->on_sent(sent);
  }
  deliver_failures();
}

void Http2Session::note_sent(Http2Stream& stream, std::size_t bytes) {
  stream.sent += bytes;
  if (stream.in_sent_list || stream.handler == nullptr) return;
  stream.in_sent_list = true;
  sent_list_.push_back(&stream);
  schedule_flush();
}

// Fails from a place where callbacks are not allowed: the connection is told off the loop.
void Http2Session::fail(Status status) {
  if (closed_) return;
  loop_.defer([weak = weak_from_this(), status = std::move(status)]() mutable {
    if (auto self = weak.lock()) self->finish(std::move(status));
  });
}

void Http2Session::finish(Status status) {
  if (closed_) return;
  const std::shared_ptr<Http2Session> self = shared_from_this();
  closed_ = true;
  alive_.reset();
  deadline_.cancel();
  write_stall_.cancel();
  keepalive_.cancel();
  max_age_.cancel();
  debts_.cancel();
  if (stream_ != nullptr) stream_->shutdown_write();
  stream_.reset();
  sent_list_.clear();
  while (streams_ != nullptr) {
    ExchangeHandler* handler = streams_->handler;
    // A client that was answered before it had sent everything has nothing more to learn.
    const bool done = streams_->remote_ended && streams_->end_framed;
    const Status why = streams_->failure.ok() ? status : streams_->failure;
    delete_stream(streams_);
    if (handler != nullptr && !done) handler->on_failed(why);
  }
  if (on_closed_) std::exchange(on_closed_, {})(std::move(status));
}

void Http2Session::abandon() {
  on_closed_ = {};
  if (closed_) return;
  if (in_nghttp2_) {
    abandoned_ = true;
    loop_.defer([self = shared_from_this()] { self->finish(Status(Code::kCancelled, "connection closed")); });
    return;
  }
  flush();
  finish(Status(Code::kCancelled, "connection closed"));
}

void Http2Session::close_when_done() {
  const bool over = (is_server() ? final_goaway_ && nghttp2_session_want_write(session_) == 0 : refuses_) &&
                    active_ == 0 && pending_.empty();
  const bool finished = nghttp2_session_want_read(session_) == 0 &&
                        nghttp2_session_want_write(session_) == 0 && pending_.empty();
  if (over || finished) fail(Status(Code::kUnavailable, "connection to " + peer_ + " is closing"));
}

void Http2Session::drain() {
  if (closed_ || draining_) return;
  draining_ = true;
  // Two GOAWAYs (RFC 9113, section 6.8): the first lets requests that are on their way arrive, the second,
  // after the answer to this PING, names the last one.
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  deadline_.start(kDrainAnswer);
  schedule_flush();
}

void Http2Session::ping_received(bool ack) {
  if (ack) {
    if (ping_outstanding_) keepalive_.start(options_.keepalive);
    ping_outstanding_ = false;
    if (draining_ && is_server()) {
      final_goaway_ = true;
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                            NGHTTP2_NO_ERROR, nullptr, 0);
    }
    return;
  }
  if (!is_server() || options_.min_ping_interval.count() == 0) return;
  const Clock::TimePoint now = loop_.now();
  const bool early =
      last_ping_received_ != Clock::TimePoint{} && now - last_ping_received_ < options_.min_ping_interval;
  last_ping_received_ = now;
  if (!early) {
    ping_strikes_ = 0;
    return;
  }
  // Two are forgiven, as gRPC servers do; bytes that we send forgive all (on_frame_send).
  if (++ping_strikes_ <= 2) return;
  static constexpr std::string_view kReason = "too_many_pings";
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_ENHANCE_YOUR_CALM, reinterpret_cast<const std::uint8_t*>(kReason.data()),
                        kReason.size());
  fail(Status(Code::kResourceExhausted, "connection to " + peer_ + ": too many pings"));
}

void Http2Session::charge_reset(std::int32_t id) {
  if (!is_server()) return;
  const Http2Stream* stream = find(id);
  if (stream == nullptr || stream->end_wanted || stream->reset_wanted) return;
  const Limits& limits = options_.limits;
  const Clock::TimePoint now = loop_.now();
  const std::chrono::duration<double> passed = now - std::exchange(resets_counted_, now);
  resets_left_ =
      std::min<double>(limits.reset_burst, resets_left_ + passed.count() * limits.resets_per_second);
  if (resets_left_ >= 1) {
    resets_left_ -= 1;
    return;
  }
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::update_timers() {
  if (closed_ || draining_ || !is_server()) return;
  const bool in_head = incoming_.stream_id != 0;
  if (in_head && !times_head_) {
    deadline_.start(options_.limits.header_timeout);
  } else if (!in_head && active_ > 0) {
    deadline_.cancel();
  } else if (!in_head && had_request_) {
    deadline_.start(options_.limits.idle_timeout);
  }
  times_head_ = in_head;
}

void Http2Session::on_deadline() {
  if (active_ > 0 && draining_) {  // running calls finish however long they take
    final_goaway_ = true;
    return;
  }
  const std::shared_ptr<Http2Session> self = shared_from_this();
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  flush();
  finish(Status(Code::kUnavailable,
                "connection to " + peer_ + (had_request_ ? " was idle" : ": no request came")));
}

void Http2Session::on_keepalive() {
  const Clock::TimePoint now = loop_.now();
  const bool wanted = active_ > 0 || options_.keepalive_without_streams;
  const auto silence = now - last_read_;
  if (ping_outstanding_ && last_read_ < ping_sent_) {
    // A process that is stopped answers no PING. It may go on reading later, if nobody waits for its work.
    const bool may_pause = pausing_ > 0 && is_server() && !serves_us_;
    if (may_pause && is_alive(*stream_, options_.limits)) return keepalive_.start(options_.keepalive_timeout);
    return finish(Status(Code::kUnavailable, "connection to " + peer_ + ": no answer to keepalive pings"));
  }
  ping_outstanding_ = false;
  if (!wanted || silence < options_.keepalive) {
    keepalive_.start(wanted ? options_.keepalive - silence : options_.keepalive);
    return;
  }
  ping_outstanding_ = true;
  ping_sent_ = now;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  keepalive_.start(options_.keepalive_timeout);
  flush();
}

void Http2Session::on_write_stall() {
  if (pausing_ > 0 && !serves_us_ && is_alive(*stream_, options_.limits)) {
    return write_stall_.start(options_.limits.write_timeout);
  }
  fail(Status(Code::kDeadlineExceeded, "connection to " + peer_ + ": peer takes no bytes"));
}

void Http2Session::allow_pauses(Http2Stream& stream) {
  if (!std::exchange(stream.pauses, true)) ++pausing_;
}

void Http2Session::set_stream_limit(std::uint32_t streams) {
  if (closed_) return;
  serves_us_ = known_ = true;
  give_connection_credit();
  announce_streams(streams);
}

void Http2Session::announce_streams(std::uint32_t streams) {
  if (std::exchange(announced_streams_, streams) == streams) return;
  const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &entry, 1);
  schedule_flush();
}

void Http2Session::close_soon() {
  if (closed_) return;
  loop_.defer([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    nghttp2_session_terminate_session(self->session_, NGHTTP2_NO_ERROR);
    self->flush();
    self->finish(Status(Code::kUnavailable, "connection to " + self->peer_ + " was closed by this server"));
  });
}

void Http2Session::resume(Http2Stream& stream) {
  if (closed_) return;
  if (stream.waits_for_data) {
    stream.waits_for_data = false;
    nghttp2_session_resume_data(session_, stream.id);
  }
  schedule_flush();
}

void Http2Session::reset(Http2Stream& stream, std::uint32_t error_code) {
  if (closed_) return;
  stream.reset_wanted = true;
  forget_unsent(stream);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, error_code);
  schedule_flush();
}

void Http2Session::consume(Http2Stream& stream, std::size_t bytes) {
  if (closed_) return;
  if (stream.expects_continue) send_continue(stream);
  bytes = std::min(bytes, stream.unconsumed);
  if (bytes == 0) return;
  stream.unconsumed -= bytes;
  unconsumed_ -= bytes;
  nghttp2_session_consume_stream(session_, stream.id, bytes);
  stream.consumed += bytes;
  if (!stream.window_grown && stream.consumed >= kGrowAfter && options_.limits.stream_window > kFirstWindow) {
    stream.window_grown = true;
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id,
                                          static_cast<std::int32_t>(options_.limits.stream_window));
  }
  give_connection_credit();
  if (nghttp2_session_want_write(session_) != 0) schedule_flush();
}

void Http2Session::stream_closed(Http2Stream& stream, std::uint32_t error_code) {
  if (incoming_.stream_id == stream.id) {  // nghttp2 has refused its head
    incoming_ = IncomingHead{};
    large_head_.leave();
  }
  ExchangeHandler* handler = stream.handler;
  const bool finished = stream.remote_ended && (error_code == NGHTTP2_NO_ERROR || !is_server()) &&
                        (stream.end_framed || !is_server());
  if (!finished && stream.failure.ok()) {
    stream.failure = Status(reset_code(error_code), reset_message(error_code));
  }
  if (handler != nullptr && !finished && sending_) {
    forget_unsent(stream);
    stream.gone = failures_ = true;
    return;
  }
  const Status why = std::move(stream.failure);
  delete_stream(&stream);
  announce_more_streams();
  if (handler != nullptr && !finished) handler->on_failed(why);
}

Http2Stream* Http2Session::new_stream(std::int32_t id) {
  auto* stream = new Http2Stream;
  stream->session = this;
  stream->id = id;
  stream->next = streams_;
  if (streams_ != nullptr) streams_->previous = stream;
  streams_ = stream;
  ++active_;
  nghttp2_session_set_stream_user_data(session_, id, stream);
  return stream;
}

void Http2Session::delete_stream(Http2Stream* stream) {
  nghttp2_session_set_stream_user_data(session_, stream->id, nullptr);
  if (stream->handle != nullptr) stream->handle->detach();
  if (stream->in_sent_list) std::erase(sent_list_, stream);
  if (stream->previous != nullptr) stream->previous->next = stream->next;
  if (stream->next != nullptr) stream->next->previous = stream->previous;
  if (streams_ == stream) streams_ = stream->next;
  unconsumed_ -= stream->unconsumed;
  forget_unsent(*stream);
  if (!closed_) give_connection_credit();
  if (stream->pauses) --pausing_;
  --active_;
  delete stream;
}

Http2Stream* Http2Session::find(std::int32_t id) const {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

std::size_t Http2Session::available() const {
  if (closed_ || refuses_ || draining_ || nghttp2_session_check_request_allowed(session_) == 0) return 0;
  const std::uint32_t limit =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return limit > active_ ? limit - active_ : 0;
}

}  // namespace towline::http
