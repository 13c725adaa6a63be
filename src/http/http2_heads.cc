// The part of Http2Session that reads and writes heads.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "http/fields.h"
#include "http/http2_fields.h"
#include "http/http2_session.h"

namespace towline::http {
namespace {

Http2Session& self(void* user_data) { return *static_cast<Http2Session*>(user_data); }

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

// --- in ---

int Http2Session::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  Http2Session& s = self(user_data);
  if (s.stopped()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  s.incoming_ = IncomingHead{};
  s.large_head_.leave();
  s.incoming_.stream_id = frame->hd.stream_id;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) s.new_stream(frame->hd.stream_id);
  return 0;
}

int Http2Session::on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                            std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                            std::uint8_t, void* user_data) {
  Http2Session& s = self(user_data);
  IncomingHead& head = s.incoming_;
  if (head.refusal != 0) return 0;
  const Limits& limits = s.options_.limits;
  head.bytes += name_size + value_size;
  if (head.bytes > limits.header_bytes || head.headers.size() >= limits.header_count) {
    head.refuse(431, "the head is larger than " + std::to_string(limits.header_bytes) +
                         " bytes or has more than " + std::to_string(limits.header_count) + " fields");
    return 0;
  }
  if (head.bytes > kLargeHead && !s.large_head_.enter(limits)) {
    head.refuse(503, "too many requests with large heads come at once; try again");
    return 0;
  }
  const std::string_view n = view(name, name_size);
  const std::string_view v = trim_blanks(view(value, value_size));
  const bool pseudo = !n.empty() && n.front() == ':';
  if (!is_field_value(v) || (!pseudo && !is_token(n))) {
    head.refuse(400, "a header field has a bad name or value");
    return 0;
  }
  if (!pseudo) {
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

// A field that nghttp2 would leave out, silently.
int Http2Session::on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                                    const std::uint8_t*, std::size_t, std::uint8_t, void* user_data) {
  IncomingHead& head = self(user_data).incoming_;
  if (head.refusal == 0) head.refuse(400, "a header field has a bad name or value");
  return 0;
}

void Http2Session::head_complete(Http2Stream& stream, bool end) {
  large_head_.leave();
  if (!stream.head_received) {
    if (is_server()) {
      request_complete(stream, end);
    } else {
      response_complete(stream, end);
    }
    return;
  }
  IncomingHead trailers = std::exchange(incoming_, IncomingHead{});
  if (trailers.refusal != 0) {
    return fail_stream(
        stream, NGHTTP2_PROTOCOL_ERROR,
        Status(Code::kInternal, "the trailers of " + peer_ + " are malformed: " + trailers.flaw));
  }
  if (end) remote_end(stream, std::move(trailers.headers));
}

void Http2Session::request_complete(Http2Stream& stream, bool end) {
  IncomingHead incoming = std::exchange(incoming_, IncomingHead{});
  had_request_ = true;
  stream.head_received = true;
  stream.remote_ended = end;
  stream.is_head_request = incoming.request.method == "HEAD";
  if (incoming.refusal != 0) return answer(stream, incoming.refusal, incoming.flaw);
  if (incoming.request.target.empty()) return answer(stream, 501, "CONNECT is not supported");
  if (!known_ && options_.loads.unsent_is_full(options_.limits)) {
    return answer(stream, 503, "the server has too many answers that are not read; try again");
  }
  if (!end) watch_debts();
  auto exchange = make_server_exchange(*this, stream);
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
  const bool informational = incoming.status < 200 && incoming.status >= 100;
  if (informational && incoming.refusal == 0 && ++stream.informational <= kMaxInformational) return;
  if (informational || incoming.refusal != 0) {
    const bool large = incoming.refusal == 431;
    const std::string what = incoming.refusal == 0 ? "too many informational responses" : incoming.flaw;
    return fail_stream(
        stream, NGHTTP2_CANCEL,
        Status(large ? Code::kResourceExhausted : Code::kInternal,
               "the response of " + peer_ + (large ? " is too large: " : " is malformed: ") + what));
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
  announce_more_streams();
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
  Status sound = check_to_send(head, options_.limits.header_bytes);
  if (head.status == 101) sound = Status(Code::kInvalidArgument, "HTTP/2 switches no protocols");
  if (sound.ok()) return submit_response(stream, head, end);
  stream.refused = true;
  answer(stream, 502, "the response cannot be sent: " + sound.message());
}

void Http2Session::submit_response(Http2Stream& stream, const ResponseHead& head, bool end) {
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

// An exchange that fails, soon.
std::unique_ptr<ClientExchange> Http2Session::open_failed(Status why, ExchangeHandler* handler) {
  Http2Stream* stream = new_stream(0);
  stream->id = -1;
  stream->handler = handler;
  stream->failure = std::move(why);
  stream->gone = failures_ = true;
  schedule_flush();
  return make_client_exchange(*this, *stream);
}

std::unique_ptr<ClientExchange> Http2Session::open(const RequestHead& head, bool end,
                                                   ExchangeHandler* handler) {
  if (available() == 0) return nullptr;
  if (const Status sound = check_to_send(head, options_.limits.header_bytes); !sound.ok()) {
    return open_failed(sound.with_prefix("the request cannot be sent"), handler);
  }
  std::array<char, 24> number{};
  std::vector<nghttp2_nv>& fields = scratch_fields();
  fields.push_back(field(":method", head.method));
  const std::string_view scheme = secure_ ? "https" : "http";
  fields.push_back(field(":scheme", head.scheme.empty() ? scheme : std::string_view(head.scheme)));
  fields.push_back(field(":authority", head.authority));
  const std::string encoded = is_target(head.target) ? std::string() : encode_target(head.target);
  fields.push_back(field(":path", encoded.empty() ? std::string_view(head.target) : encoded));
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
