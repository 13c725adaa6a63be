#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "http/exchange.h"
#include "http/pace.h"

namespace towline::http {

class Http2Session;
class Http2Handle;

/// What a session knows of one stream. Owned by the session from HEADERS to the stream's close; a handle
/// (the Exchange that the user holds) points to it and is told when it goes.
struct Http2Stream {
  Http2Session* session = nullptr;
  std::int32_t id = -1;
  ExchangeHandler* handler = nullptr;
  Http2Handle* handle = nullptr;  // null once the user has let go

  // Sending. `out` holds what was written and not yet framed; `view` is the caller's memory during write().
  std::string out;
  std::size_t out_at = 0;
  std::span<const std::byte> view;
  Headers trailers;
  std::size_t sent = 0;  // framed since the last on_sent
  bool in_sent_list = false;
  bool head_sent = false;
  bool end_wanted = false;    // end() was called
  bool end_framed = false;    // END_STREAM is on its way
  bool reset_wanted = false;  // reset() was called
  bool waits_for_data = false;
  bool refused = false;       // an answer of ours went in place of the response
  bool pauses = false;        // the peer may leave our bytes unread
  bool swallow_body = false;  // the response may have no body (HEAD, 204, 304)

  // Receiving.
  std::size_t unconsumed = 0;
  std::size_t consumed = 0;  // in all, until the window has grown
  bool window_grown = false;
  bool head_received = false;
  bool remote_ended = false;
  bool is_head_request = false;
  bool expects_continue = false;

  // What it owes, and why it fails.
  Pace body_pace;    // of bytes that the client still owes
  Pace unread_pace;  // of bytes that the peer leaves unread
  Status failure;    // told instead of the reset's code
  int informational = 0;
  bool gone = false;  // nghttp2 has closed it; only its handler has still to be told

  // The session's list of streams.
  Http2Stream* previous = nullptr;
  Http2Stream* next = nullptr;

  std::size_t waiting() const { return out.size() - out_at + view.size(); }
};

/// The user's end of a stream; what ServerExchange and ClientExchange have in common. Outlives its stream,
/// and does nothing after that.
class Http2Handle {
 public:
  Http2Handle(Http2Session& session, Http2Stream& stream);
  ~Http2Handle();
  Http2Handle(const Http2Handle&) = delete;
  Http2Handle& operator=(const Http2Handle&) = delete;

  void set_handler(ExchangeHandler* handler);
  void write(std::span<const std::byte> data);
  void end(const Headers& trailers);
  std::size_t unsent() const;
  void consume(std::size_t bytes);
  void reset();
  void allow_pauses();
  void respond(const ResponseHead& head, bool end);
  io::Loop& loop() { return loop_; }
  std::string_view peer() const;
  void set_peer(std::string address) { peer_ = std::make_unique<const std::string>(std::move(address)); }

  /// The stream is gone.
  void detach() { stream_ = nullptr; }
  Http2Stream* stream() const { return stream_; }

 private:
  bool can_act() const { return stream_ != nullptr && !stream_->gone; }

  Http2Stream* stream_;
  io::Loop& loop_;
  std::unique_ptr<const std::string> peer_;  // where it is not the session's
};

/// Wrap a stream in the exchange that users see (http2_connection.cc).
std::unique_ptr<ServerExchange> make_server_exchange(Http2Session& session, Http2Stream& stream);
std::unique_ptr<ClientExchange> make_client_exchange(Http2Session& session, Http2Stream& stream);

}  // namespace towline::http
