// The part of Http2Session that nghttp2 calls.
#include <algorithm>
#include <utility>

#include "http/http2_fields.h"
#include "http/http2_session.h"
#include "http/nghttp2_memory.h"

namespace towline::http {
namespace {

constexpr std::uint64_t kNoResetLimit = std::uint64_t{1} << 40;
// What nghttp2 reckons for a field beside its name and value, with much to spare.
constexpr std::size_t kFieldOverhead = 64;
constexpr std::size_t kFramePayload = 16384;
constexpr std::size_t kSpareContinuations = 8;

Http2Session& self(void* user_data) { return *static_cast<Http2Session*>(user_data); }

}  // namespace

void Http2Session::make_nghttp2() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);

  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  // Closed streams are of no use without priorities, and a busy connection has many.
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_peer_max_concurrent_streams(option, 100);
  // Heads are judged here, and blanks around values are forgiven as on HTTP/1.1: a reset for them makes
  // honest clients repeat the request without end.
  nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
  const Limits& limits = options_.limits;
  nghttp2_option_set_max_send_header_block_length(option,
                                                  limits.header_bytes + limits.header_count * kFieldOverhead);
  nghttp2_option_set_max_continuations(option, limits.header_bytes / kFramePayload + kSpareContinuations);
  if (is_server()) {
    // Its own limit counts answered streams too; charge_reset() does not.
    nghttp2_option_set_stream_reset_rate_limit(option, kNoResetLimit, kNoResetLimit);
    nghttp2_session_server_new3(&session_, callbacks, this, option, nghttp2_memory());
  } else {
    nghttp2_session_client_new3(&session_, callbacks, this, option, nghttp2_memory());
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
}

// Heads are judged before they are given to nghttp2; what it does not send all the same must not leave the
// peer or the handler waiting.
int Http2Session::on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error,
                                    void* user_data) {
  Http2Session& s = self(user_data);
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  Http2Stream* stream = s.find(frame->hd.stream_id);
  if (stream == nullptr || stream->reset_wanted) return 0;
  const bool large = error == NGHTTP2_ERR_FRAME_SIZE_ERROR || error == NGHTTP2_ERR_HEADER_COMP;
  stream->failure = Status(large ? Code::kResourceExhausted : Code::kUnavailable,
                           large ? "the head is too large for HTTP/2"
                                 : std::string("the head was not sent: ") + nghttp2_strerror(error));
  if (s.is_server()) s.reset(*stream, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

int Http2Session::on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  Http2Session& s = self(user_data);
  if (s.stopped()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (Http2Stream* stream = s.find(frame->hd.stream_id)) {
        s.head_complete(*stream, end);
      } else {
        s.incoming_ = IncomingHead{};
        s.large_head_.leave();
      }
      break;
    case NGHTTP2_DATA:
      if (end) {
        if (Http2Stream* stream = s.find(frame->hd.stream_id)) s.remote_end(*stream, {});
      }
      break;
    case NGHTTP2_RST_STREAM:
      s.charge_reset(frame->hd.stream_id);
      break;
    case NGHTTP2_PING:
      s.ping_received((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
      break;
    case NGHTTP2_GOAWAY:
      s.refuses_ = true;
      // The owner learns now that this connection takes no more; running exchanges go on.
      if (!s.is_server() && s.on_closed_) {
        s.loop_.defer([weak = s.weak_from_this()] {
          const auto session = weak.lock();
          if (session && session->on_closed_) {
            std::exchange(session->on_closed_, {})(
                Status(Code::kUnavailable, "connection to " + session->peer_ + ": peer is going away"));
          }
        });
      }
      break;
    default:
      break;
  }
  return s.stopped() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int Http2Session::on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  Http2Session& s = self(user_data);
  if (frame->hd.type == NGHTTP2_RST_STREAM) s.charge_reset(frame->hd.stream_id);
  if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
  s.ping_strikes_ = 0;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  Http2Stream* stream = s.find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  stream->end_framed = true;
  // The response is complete and nobody reads the rest of the request: the client need not send it.
  if (s.is_server() && stream->handle == nullptr && !stream->remote_ended) {
    nghttp2_submit_rst_stream(s.session_, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
  }
  return 0;
}

int Http2Session::on_data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id,
                                const std::uint8_t* data, std::size_t size, void* user_data) {
  Http2Session& s = self(user_data);
  if (s.stopped()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  Http2Stream* stream = s.find(id);
  if (stream == nullptr || stream->handler == nullptr) {
    nghttp2_session_consume(session, id, size);
    return 0;
  }
  stream->unconsumed += size;
  s.unconsumed_ += size;
  stream->body_pace.moved(size);
  if (s.unconsumed_ < s.window_budget()) {
    nghttp2_session_consume_connection(session, size);
  } else {
    s.held_connection_ += size;
  }
  stream->handler->on_body(std::as_bytes(std::span(data, size)));
  return s.stopped() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int Http2Session::on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t error_code,
                                  void* user_data) {
  Http2Session& s = self(user_data);
  if (Http2Stream* stream = s.find(id)) s.stream_closed(*stream, error_code);
  return 0;
}

ssize_t Http2Session::on_read_data(nghttp2_session* session, std::int32_t id, std::uint8_t*,
                                   std::size_t length, std::uint32_t* flags, nghttp2_data_source* source,
                                   void*) {
  auto& stream = *static_cast<Http2Stream*>(source->ptr);
  if (stream.reset_wanted) return NGHTTP2_ERR_DEFERRED;
  const std::size_t waiting = stream.waiting();
  const std::size_t n = std::min(waiting, length);
  if (n == 0 && !stream.end_wanted) {
    stream.waits_for_data = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (n > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (n == waiting && stream.end_wanted) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.trailers.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      std::vector<nghttp2_nv>& fields = scratch_fields();
      append_fields(fields, stream.trailers);
      nghttp2_submit_trailer(session, id, fields.data(), fields.size());
    }
  }
  return static_cast<ssize_t>(n);
}

int Http2Session::on_send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t length,
                               nghttp2_data_source* source, void* user_data) {
  Http2Session& s = self(user_data);
  auto& stream = *static_cast<Http2Stream*>(source->ptr);
  s.append_out(std::as_bytes(std::span(head, 9)));
  const std::size_t copied = std::min(length, stream.out.size() - stream.out_at);
  if (copied > 0) {
    s.append_out(std::as_bytes(std::span(stream.out.data() + stream.out_at, copied)));
    stream.out_at += copied;
    s.note_framed(copied);
    if (stream.out_at == stream.out.size()) {
      std::string().swap(stream.out);
      stream.out_at = 0;
    }
  }
  const std::size_t direct = length - copied;
  if (direct > 0) {
    s.append_out(stream.view.first(direct));
    stream.view = stream.view.subspan(direct);
  }
  stream.unread_pace.moved(length);
  s.note_sent(stream, length);
  return 0;
}

}  // namespace towline::http
