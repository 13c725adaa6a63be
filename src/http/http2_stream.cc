#include "http/http2_stream.h"

#include <utility>

#include "http/http2_session.h"

namespace towline::http {
namespace {

// Pieces from this size on are framed from the caller's memory at once, saving a copy; smaller ones wait for
// the end of the turn, so that they leave together.
constexpr std::size_t kDirectWrite = 4096;

}  // namespace

Http2Handle::Http2Handle(Http2Session& session, Http2Stream& stream)
    : stream_(&stream), loop_(session.loop()) {
  stream.handle = this;
}

Http2Handle::~Http2Handle() {
  if (stream_ == nullptr) return;
  Http2Stream& stream = *stream_;
  stream.handle = nullptr;
  stream.handler = nullptr;
  if (stream.gone) return;
  // What is complete on our side goes on leaving without its handle: a server's response whatever the state
  // of the request (on_frame_send stops the rest of the request), a client's request only if it was answered.
  const bool server = stream.session->is_server();
  const bool sent_all = server && stream.end_framed && !stream.remote_ended;
  if (stream.end_wanted && !sent_all && (server || stream.remote_ended)) return;
  stream.session->reset(stream, sent_all ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
}

void Http2Handle::set_handler(ExchangeHandler* handler) {
  if (stream_ != nullptr) stream_->handler = handler;
}

void Http2Handle::write(std::span<const std::byte> data) {
  if (!can_act() || data.empty() || stream_->reset_wanted) return;
  Http2Stream& stream = *stream_;
  Http2Session& session = *stream.session;
  if (stream.end_wanted && !stream.refused) return;
  if (stream.swallow_body || stream.refused) {
    session.note_sent(stream, data.size());
    return;
  }
  const bool direct = data.size() >= kDirectWrite && stream.waiting() < kDirectWrite && session.can_flush();
  if (direct) {
    stream.view = data;
    session.resume(stream);
    session.flush();
    data = std::exchange(stream.view, {});
  }
  if (data.empty() || stream.gone || stream.reset_wanted) return;
  // A stream that is always a little behind never gets empty: what has left is dropped once it is the larger
  // part.
  if (stream.out_at > stream.out.size() / 2) {
    stream.out.erase(0, stream.out_at);
    stream.out_at = 0;
  }
  stream.out.append(reinterpret_cast<const char*>(data.data()), data.size());
  session.resume(stream);
  session.note_unsent(stream, data.size());
}

void Http2Handle::end(const Headers& trailers) {
  if (!can_act() || stream_->end_wanted) return;
  stream_->end_wanted = true;
  stream_->trailers = trailers;
  stream_->session->resume(*stream_);
}

std::size_t Http2Handle::unsent() const { return stream_ == nullptr ? 0 : stream_->waiting(); }

void Http2Handle::consume(std::size_t bytes) {
  if (can_act()) stream_->session->consume(*stream_, bytes);
}

void Http2Handle::reset() {
  if (stream_ == nullptr) return;
  stream_->handler = nullptr;
  if (!stream_->gone) stream_->session->reset(*stream_, NGHTTP2_CANCEL);
}

void Http2Handle::allow_pauses() {
  if (can_act()) stream_->session->allow_pauses(*stream_);
}

void Http2Handle::respond(const ResponseHead& head, bool end) {
  if (can_act() && !stream_->head_sent) stream_->session->respond(*stream_, head, end);
}

std::string_view Http2Handle::peer() const {
  if (peer_) return *peer_;
  return stream_ == nullptr ? std::string_view{} : stream_->session->peer();
}

}  // namespace towline::http
