#include "http/http1_connection.h"

#include <algorithm>
#include <utility>

namespace towline::http {
namespace {

// Body pieces from this size on go to the transport as they are, at once; smaller ones are gathered, for a
// copy costs less than a system call.
constexpr std::size_t kWriteThrough = 16 * 1024;
// One busy connection must not keep the loop from the others.
constexpr int kReadsPerRun = 4;
constexpr int kRoundsPerRun = 8;
// Reading goes on when this much credit is there, so that small consumes do not make small reads.
constexpr std::size_t kResumeCredit = 16 * 1024;
// How often a peer that is not read is looked at.
constexpr std::chrono::seconds kPeerLook{15};

std::string_view text_of(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

}  // namespace

Http1Connection::Http1Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, Http1Parser::Role role,
                                 const Limits& limits, Loads loads)
    : loop_(loop),
      stream_(std::move(stream)),
      is_server_(role == Http1Parser::Role::kRequests),
      limits_(limits),
      loads_(std::move(loads)),
      peer_(std::make_shared<const std::string>(stream_->peer())),
      parser_(role, limits_),
      input_(loop),
      resume_at_(std::clamp<std::size_t>(limits.stream_window / 4, 1, kResumeCredit)),
      write_timer_(loop, [this] { on_write_stall(); }),
      peer_timer_(loop, [this] { look_at_peer(); }),
      unsent_share_(loads_) {
  stream_->set_handler(this);
  defer_run();
}

Http1Connection::~Http1Connection() {
  liveness_.reset();
  ExchangeHandler* handler = detach();
  if (handler != nullptr)
    handler->on_failed(Status(Code::kUnavailable, "the connection was closed on this side"));
}

void Http1Connection::on_readable() {
  armed_ = false;
  run();
}

void Http1Connection::on_writable() {
  output_.unblock();
  run();
}

void Http1Connection::fail(Status status) {
  if (failure_.ok()) failure_ = std::move(status);
}

// --- the loop's side ---

void Http1Connection::request_run() {
  if (running_) {
    again_ = true;
  } else {
    defer_run();
  }
}

void Http1Connection::defer_run() {
  if (std::exchange(scheduled_, true)) return;
  loop_.defer([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    run();
  });
}

void Http1Connection::run() {
  if (running_) return;  // also once it is closed
  running_ = true;
  moved_ = false;
  for (int round = 0; round < kRoundsPerRun; ++round) {
    again_ = false;
    if (!read_input() || !write_output() || !advance()) return;
    if (!again_) break;
  }
  running_ = false;
  unsent_share_.set(unsent());
  watch_peer();
  if (again_) defer_run();
}

bool Http1Connection::read_input() {
  for (int reads = 0; stream_ != nullptr; ++reads) {
    if (!use_input()) return false;
    paused_ = !wants_input();
    if (paused_ || armed_ || eof_ || stream_ == nullptr || !failure_.ok() || reset_) break;
    if (reads == kReadsPerRun) {
      defer_run();
      break;
    }
    const io::Transfer transfer = input_.fill(*stream_, std::max<std::size_t>(credit(), 4096));
    if (transfer.outcome == io::Outcome::kWouldBlock) {
      armed_ = true;
      break;
    }
    moved_ = true;
    if (transfer.outcome == io::Outcome::kDone) continue;
    eof_ = true;
    if (!on_input_end(transfer.outcome == io::Outcome::kError ? stream_->error() : Status())) return false;
    break;
  }
  input_.settle();
  return true;
}

bool Http1Connection::write_output() {
  if (stream_ != nullptr && !output_.flush(*stream_)) {
    fail(stream_->error().with_prefix("the connection to " + *peer_ + " broke"));
  }
  const std::size_t taken = output_.take_progress();
  taken_ += taken;
  moved_ = moved_ || taken > 0;
  if (output_.empty()) {
    write_timer_.cancel();
  } else if (!write_timer_.armed()) {
    taken_ = 0;
    write_timer_.start(limits_.write_timeout);
  }
  const std::size_t sent = output_.take_sent() + std::exchange(swallowed_, 0);
  if (sent == 0 || link_ == nullptr || link_->handler == nullptr) return true;
  return call([&] { link_->handler->on_sent(sent); });
}

void Http1Connection::on_write_stall() {
  const auto due = limits_.min_rate * static_cast<std::size_t>(limits_.write_timeout.count()) / 1000;
  const bool keeps_pace = std::exchange(taken_, 0) >= std::max<std::size_t>(due, 1);
  if (keeps_pace || (pauses_ && is_alive(*stream_, limits_))) {
    return write_timer_.start(limits_.write_timeout);
  }
  fail(Status(Code::kUnavailable, "the peer at " + *peer_ + " takes no bytes any more"));
  run();
}

void Http1Connection::watch_peer() {
  const bool ended = peer_ended_ && !our_end_;
  if (moved_) idle_ = {};
  // A server that has ended its direction and is not read has done its work; only clients die on us so.
  if (!is_server_ || link_ == nullptr || stream_ == nullptr || (!paused_ && !ended)) {
    peer_timer_.cancel();
    idle_ = {};
  } else if (!peer_timer_.armed()) {
    peer_timer_.start(kPeerLook);
  }
}

void Http1Connection::look_at_peer() {
  const auto state = stream_->peer_state();
  const bool lost = state && (state->lost || state->silence >= limits_.peer_silence);
  // While bytes wait for it, its system tells whether it lives.
  const bool ended = output_.empty() && (peer_ended_ || (state && state->ended));
  idle_ = ended ? idle_ + kPeerLook : std::chrono::milliseconds(0);
  if (!lost && idle_ < limits_.half_closed_timeout) return peer_timer_.start(kPeerLook);
  fail(Status(Code::kCancelled, "the peer at " + *peer_ + " is gone"));
  run();
}

bool Http1Connection::fail_now() {
  liveness_.reset();
  ExchangeHandler* handler = detach();
  if (handler != nullptr && !call([&] { handler->on_failed(failure_); })) return false;
  return close(failure_);
}

bool Http1Connection::close(Status why) {
  write_timer_.cancel();
  peer_timer_.cancel();
  unsent_share_.set(0);
  liveness_.reset();
  detach();
  stream_.reset();
  input_.clear();
  output_.clear();
  closed(std::move(why));  // may destroy this; if not, running_ stays set and nothing runs any more
  return false;
}

// --- the exchange ---

void Http1Connection::begin_exchange() {
  unconsumed_ = 0;
  swallowed_ = 0;
  pauses_ = false;
  output_.take_sent();
  writing_ = our_end_ = peer_ended_ = holding_ = false;
  held_ = {};
}

ExchangeHandler* Http1Connection::detach() {
  if (link_ == nullptr) return nullptr;
  link_->connection = nullptr;
  return std::exchange(link_, nullptr)->handler;
}

std::weak_ptr<const void> Http1Connection::liveness() {
  if (liveness_ == nullptr && stream_ != nullptr && failure_.ok() && !reset_)
    liveness_ = std::make_shared<const char>();
  return liveness_;
}

void Http1Connection::begin_body(BodyFraming framing, std::uint64_t length, bool swallow) {
  writing_ = true;
  framing_ = framing;
  body_left_ = length;
  swallow_ = swallow;
}

void Http1Connection::begin_raw() {
  begin_body(BodyFraming::kUntilClose, 0, false);
  holding_ = false;
  output_.add({{std::exchange(held_, {}), true}});
}

void Http1Connection::write(std::span<const std::byte> data) {
  if (our_end_ || reset_ || stream_ == nullptr || data.empty()) return;
  if (holding_) {
    held_ += text_of(data);
    return;
  }
  if (!writing_) return;
  if (swallow_) {
    swallowed_ += data.size();
  } else {
    put(data);
  }
  request_run();
}

void Http1Connection::put(std::span<const std::byte> data) {
  if (framing_ == BodyFraming::kLength && data.size() > body_left_) {
    // More than was announced would be read as the next message.
    swallowed_ += data.size() - body_left_;
    data = data.first(body_left_);
  }
  body_left_ -= std::min<std::uint64_t>(body_left_, data.size());
  char buffer[20];
  const bool chunked = framing_ == BodyFraming::kChunked;
  const std::string_view head = chunked ? chunk_head(data.size(), buffer) : std::string_view();
  const std::string_view tail = chunked ? "\r\n" : "";
  const std::initializer_list<Http1Output::Piece> pieces = {{head}, {text_of(data), true}, {tail}};
  if (data.size() >= kWriteThrough) {
    output_.add_through(*stream_, pieces);
  } else {
    output_.add(pieces);
  }
  if (output_.unsent() > kFairUnsent && loads_.unsent_is_full(limits_)) {
    fail(Status(Code::kResourceExhausted, "answers that are not read take too much memory"));
  }
}

void Http1Connection::end(const Headers& trailers) {
  if ((!writing_ && !holding_) || our_end_ || reset_) return;
  our_end_ = true;
  if (writing_ && !swallow_ && framing_ == BodyFraming::kChunked) {
    output_.add_text([&](std::string& out) {
      out += "0\r\n";
      append_trailers(out, trailers);
      out += "\r\n";
    });
  } else if (writing_ && !swallow_ && framing_ == BodyFraming::kLength && body_left_ > 0) {
    fail(Status(Code::kInternal, "a body was shorter than its Content-Length"));
  }
  request_run();
}

void Http1Connection::consume(std::size_t bytes) {
  unconsumed_ -= std::min(bytes, unconsumed_);
  on_consume();
  if (paused_ && has_credit()) request_run();
}

void Http1Connection::reset() {
  detach();
  reset_ = true;
  output_.clear();
  request_run();
}

bool Http1Connection::deliver_body(std::string_view data) {
  unconsumed_ += data.size();
  if (link_ == nullptr || link_->handler == nullptr) return true;
  return call([&] { link_->handler->on_body(std::as_bytes(std::span(data))); });
}

bool Http1Connection::deliver_raw() {
  while (link_ != nullptr && input_.size() > 0 && credit() > 0) {
    const std::string_view data = input_.bytes().substr(0, credit());
    input_.consume(data.size());
    if (!deliver_body(data)) return false;
  }
  return true;
}

bool Http1Connection::deliver_raw_end() {
  peer_ended_ = true;
  if (link_ == nullptr || link_->handler == nullptr) return true;
  return call([&] { link_->handler->on_end({}); });
}

}  // namespace towline::http
