// The part of Http2Session that nghttp2 calls.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "http/http2_fields.h"
#include "http/http2_session.h"
#include "http/nghttp2_memory.h"

namespace towline::http {
namespace {

constexpr std::uint64_t kNoResetLimit = std::uint64_t{1} << 40;

Http2Session& self(void* user_data) { return *static_cast<Http2Session*>(user_data); }

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

std::vector<nghttp2_nv>& scratch_fields() {
  static thread_local std::vector<nghttp2_nv> fields;
  fields.clear();
  return fields;
}

}  // namespace

void Http2Session::make_nghttp2() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
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

int Http2Session::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  Http2Session& s = self(user_data);
  if (s.stopped()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  s.incoming_ = IncomingHead{};
  s.incoming_.stream_id = frame->hd.stream_id;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) s.new_stream(frame->hd.stream_id);
  return 0;
}

int Http2Session::on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                            std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                            std::uint8_t, void* user_data) {
  Http2Session& s = self(user_data);
  IncomingHead& head = s.incoming_;
  head.bytes += name_size + value_size;
  if (head.bytes > s.options_.limits.header_bytes || head.headers.size() >= s.options_.limits.header_count) {
    head.too_large = true;
    return 0;
  }
  const std::string_view n = view(name, name_size);
  const std::string_view v = view(value, value_size);
  if (n.empty() || n.front() != ':') {
    if (n != "host") head.headers.add(n, v);
    if (n == "host" && head.request.authority.empty()) head.request.authority = v;
  } else if (n == ":method") {
    head.request.method = v;
  } else if (n == ":path") {
    head.request.target = v;
  } else if (n == ":scheme") {
    head.request.scheme = v;
  } else if (n == ":authority") {
    head.request.authority = v;
  } else if (n == ":status") {
    head.status = static_cast<int>(parse_number(v).value_or(0));
  }
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
  if (s.unconsumed_ < s.options_.limits.connection_window) {
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
  s.note_sent(stream, length);
  return 0;
}

void Http2Session::head_complete(Http2Stream& stream, bool end) {
  if (!stream.head_received) {
    if (is_server()) {
      request_complete(stream, end);
    } else {
      response_complete(stream, end);
    }
    return;
  }
  Headers trailers = std::exchange(incoming_, IncomingHead{}).headers;
  if (end) remote_end(stream, std::move(trailers));
}

void Http2Session::request_complete(Http2Stream& stream, bool end) {
  IncomingHead incoming = std::exchange(incoming_, IncomingHead{});
  had_request_ = true;
  stream.head_received = true;
  stream.remote_ended = end;
  stream.is_head_request = incoming.request.method == "HEAD";
  auto exchange = make_server_exchange(*this, stream);
  if (incoming.too_large || incoming.request.target.empty()) {
    ResponseHead refusal;
    refusal.status = incoming.too_large ? 431 : 501;
    return exchange->respond(refusal, true);
  }
  RequestHead head = std::move(incoming.request);
  head.headers = std::move(incoming.headers);
  head.version = Version::kHttp2;
  head.content_length = take_content_length(head.headers);
  join_cookies(head.headers);
  remove_hop_by_hop(head.headers);
  if (end) head.content_length = 0;
  if (!end && head.headers.has_token("expect", "100-continue")) {
    stream.expects_continue = true;
    head.headers.remove("expect");
  }
  handler_->on_request(std::move(head), !end, std::move(exchange));
}

void Http2Session::response_complete(Http2Stream& stream, bool end) {
  IncomingHead incoming = std::exchange(incoming_, IncomingHead{});
  if (incoming.status < 200 && incoming.status >= 100) return;  // informational
  if (incoming.too_large) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
    ExchangeHandler* handler = std::exchange(stream.handler, nullptr);
    if (handler != nullptr) {
      handler->on_failed(
          Status(Code::kResourceExhausted,
                 "response head over " + std::to_string(options_.limits.header_bytes) + " bytes"));
    }
    return;
  }
  stream.head_received = true;
  stream.remote_ended = end;
  ResponseHead head;
  head.status = incoming.status;
  head.headers = std::move(incoming.headers);
  head.content_length = take_content_length(head.headers);
  if (stream.handler != nullptr) stream.handler->on_response(std::move(head), end);
}

void Http2Session::remote_end(Http2Stream& stream, Headers trailers) {
  stream.remote_ended = true;
  if (stream.handler != nullptr) stream.handler->on_end(std::move(trailers));
}

void Http2Session::send_continue(Http2Stream& stream) {
  stream.expects_continue = false;
  if (stream.head_sent) return;
  const nghttp2_nv status = field(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
  schedule_flush();
}

void Http2Session::respond(Http2Stream& stream, const ResponseHead& head, bool end) {
  if (closed_) return;
  stream.head_sent = true;
  stream.expects_continue = false;
  const bool bodyless = stream.is_head_request || head.status == 204 || head.status == 304;
  stream.swallow_body = bodyless && !end;
  if (end) stream.end_wanted = true;
  const std::string status = std::to_string(head.status);
  std::array<char, 24> number{};
  std::vector<nghttp2_nv>& fields = scratch_fields();
  fields.push_back(field(":status", status));
  append_fields(fields, head.headers);
  if (head.content_length && head.status != 204) {
    const auto [stop, error] =
        std::to_chars(number.data(), number.data() + number.size(), *head.content_length);
    fields.push_back(
        field("content-length", {number.data(), static_cast<std::size_t>(stop - number.data())}));
  }
  nghttp2_data_provider provider{{.ptr = &stream}, on_read_data};
  nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(), end ? nullptr : &provider);
  schedule_flush();
}

std::unique_ptr<ClientExchange> Http2Session::open(const RequestHead& head, bool end,
                                                   ExchangeHandler* handler) {
  if (available() == 0) return nullptr;
  std::array<char, 24> number{};
  std::vector<nghttp2_nv>& fields = scratch_fields();
  fields.push_back(field(":method", head.method));
  const std::string_view scheme = secure_ ? "https" : "http";
  fields.push_back(field(":scheme", head.scheme.empty() ? scheme : std::string_view(head.scheme)));
  fields.push_back(field(":authority", head.authority));
  fields.push_back(field(":path", head.target));
  append_fields(fields, head.headers);
  if (head.content_length && !(end && *head.content_length == 0)) {
    const auto [stop, error] =
        std::to_chars(number.data(), number.data() + number.size(), *head.content_length);
    fields.push_back(
        field("content-length", {number.data(), static_cast<std::size_t>(stop - number.data())}));
  }
  Http2Stream* stream = new_stream(0);
  nghttp2_data_provider provider{{.ptr = stream}, on_read_data};
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                                 end ? nullptr : &provider, stream);
  if (id < 0) {
    delete_stream(stream);
    return nullptr;
  }
  stream->id = id;
  stream->handler = handler;
  stream->head_sent = true;
  stream->end_wanted = end;
  stream->is_head_request = head.method == "HEAD";
  schedule_flush();
  return make_client_exchange(*this, *stream);
}

}  // namespace towline::http
