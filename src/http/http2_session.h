#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/status.h"
#include "http/exchange.h"
#include "http/http2_stream.h"
#include "http/limits.h"
#include "http/load.h"
#include "io/loop.h"
#include "io/stream.h"

namespace towline::http {

/// A stream begins with this window and gets Limits::stream_window once its reader has shown that it keeps
/// up: many readers that stall from the start must not exhaust the connection for the others.
inline constexpr std::size_t kFirstWindow = 64 * 1024;

/// One HTTP/2 connection (RFC 9113), server or client: nghttp2 between a byte stream and exchanges.
///
/// Callbacks to handlers run inside the read path only; write paths never call out. Everything written during
/// one turn of the loop leaves in one write. Held by shared_ptr so that a callback may let go of the
/// connection.
class Http2Session final : public io::StreamHandler, public std::enable_shared_from_this<Http2Session> {
 public:
  struct Options {
    Limits limits;
    Loads loads;
    std::chrono::milliseconds min_ping_interval{0};
    std::chrono::milliseconds keepalive{0};
    std::chrono::milliseconds keepalive_timeout{20'000};
    std::chrono::milliseconds max_age{0};
    bool keepalive_without_streams = false;
  };
  using Closed = std::move_only_function<void(Status)>;

  /// `handler` is set for a server and null for a client.
  static std::shared_ptr<Http2Session> start(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                             RequestHandler* handler, Options options, Closed on_closed);
  ~Http2Session();

  /// Client: opens a stream; null when none can be opened.
  std::unique_ptr<ClientExchange> open(const RequestHead& head, bool end, ExchangeHandler* handler);
  std::size_t available() const;
  std::size_t active() const { return active_; }

  /// Server: no new streams; closes when the last one has ended.
  void drain();
  /// The owner lets go: no further callbacks to it; exchanges fail.
  void abandon();

  void set_stream_limit(std::uint32_t streams);
  void peer_is_known();
  bool is_known() const { return known_; }
  /// Sends what was written and GOAWAY, then closes; in a later turn.
  void close_soon();

  // For Http2Handle.
  void respond(Http2Stream& stream, const ResponseHead& head, bool end);
  void send_continue(Http2Stream& stream);
  void resume(Http2Stream& stream);
  void reset(Http2Stream& stream, std::uint32_t error_code);
  void consume(Http2Stream& stream, std::size_t bytes);
  void allow_pauses(Http2Stream& stream);
  /// `bytes` more of this stream wait. It may be over its budget by that and fail, soon.
  void note_unsent(Http2Stream& stream, std::size_t bytes);
  void note_sent(Http2Stream& stream, std::size_t bytes);
  /// Writes what is ready, now. Not from inside nghttp2; see can_flush().
  void flush();
  bool can_flush() const { return !in_nghttp2_ && !closed_ && pending_.empty(); }
  void schedule_flush();
  io::Loop& loop() { return loop_; }
  std::weak_ptr<const void> liveness() const { return alive_; }
  std::string_view peer() const { return peer_; }
  bool is_server() const { return handler_ != nullptr; }

  // io::StreamHandler
  void on_readable() override;
  void on_writable() override;

 private:
  // The header block under way; there is at most one on a connection (RFC 9113, section 4.3).
  struct IncomingHead {
    std::int32_t stream_id = 0;
    RequestHead request;
    int status = 0;
    Headers headers;
    std::size_t bytes = 0;
    int refusal = 0;  // the status that answers it, else 0
    std::string flaw;
    void refuse(int with, std::string why) {
      refusal = with;
      flaw = std::move(why);
    }
  };

  Http2Session(io::Loop& loop, std::unique_ptr<io::Stream> stream, RequestHandler* handler, Options options,
               Closed on_closed);
  void make_nghttp2();
  void begin();
  void receive(std::span<const std::byte> bytes);
  void fail(Status status);
  void close_when_done();
  void finish(Status status);
  bool write_out();
  void append_out(std::span<const std::byte> bytes);
  void deliver_sent();
  bool stopped() const { return closed_ || abandoned_; }
  void update_timers();
  void on_deadline();
  void on_keepalive();
  void on_write_stall();

  std::unique_ptr<ClientExchange> open_failed(Status why, ExchangeHandler* handler);
  void submit_response(Http2Stream& stream, const ResponseHead& head, bool end);
  void announce_streams(std::uint32_t streams);
  void announce_more_streams();

  // What streams owe (http2_debts.cc).
  /// Answers a request in place of its handler; the exchange's user is told nothing.
  void answer(Http2Stream& stream, int status, std::string_view message);
  /// Resets the stream; its handler learns `why` from the loop.
  void fail_stream(Http2Stream& stream, std::uint32_t error_code, Status why);
  void note_framed(std::size_t bytes);
  void forget_unsent(Http2Stream& stream);
  void relieve();
  std::size_t unsent_budget() const;
  std::size_t window_budget() const;
  void give_connection_credit();
  bool owes_body(const Http2Stream& stream) const;
  void watch_debts();
  void on_debts();
  void time_out_body(Http2Stream& stream);
  void deliver_failures();

  Http2Stream* new_stream(std::int32_t id);
  void delete_stream(Http2Stream* stream);
  Http2Stream* find(std::int32_t id) const;
  void head_complete(Http2Stream& stream, bool end);
  void request_complete(Http2Stream& stream, bool end);
  void response_complete(Http2Stream& stream, bool end);
  void remote_end(Http2Stream& stream, Headers trailers);
  void stream_closed(Http2Stream& stream, std::uint32_t error_code);
  void ping_received(bool ack);
  /// Server: the client has reset this stream, or made nghttp2 reset it. See Limits::reset_burst.
  void charge_reset(std::int32_t id);

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void*);
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                       const std::uint8_t*, std::size_t, std::uint8_t, void*);
  static int on_frame_recv(nghttp2_session*, const nghttp2_frame*, void*);
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                               const std::uint8_t*, std::size_t, std::uint8_t, void*);
  static int on_frame_not_send(nghttp2_session*, const nghttp2_frame*, int, void*);
  static int on_frame_send(nghttp2_session*, const nghttp2_frame*, void*);
  static int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t*, std::size_t,
                           void*);
  static int on_stream_close(nghttp2_session*, std::int32_t, std::uint32_t, void*);
  static ssize_t on_read_data(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t, std::uint32_t*,
                              nghttp2_data_source*, void*);
  static int on_send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t*, std::size_t,
                          nghttp2_data_source*, void*);

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  RequestHandler* handler_;
  Options options_;
  Closed on_closed_;
  std::string peer_;
  bool secure_;
  nghttp2_session* session_ = nullptr;

  Http2Stream* streams_ = nullptr;
  std::size_t active_ = 0;
  std::size_t pausing_ = 0;  // streams whose peer may pause
  std::vector<Http2Stream*> sent_list_;
  IncomingHead incoming_;
  std::size_t unconsumed_ = 0;       // of all streams
  std::size_t held_connection_ = 0;  // connection credit withheld, see Limits::connection_window

  std::span<std::byte> out_;  // the loop's output scratch during flush()
  std::size_t out_size_ = 0;
  std::string pending_;  // framed, not yet taken by the transport

  std::shared_ptr<const void> alive_ = std::make_shared<char>();

  LargeHead large_head_;
  UnsentShare unsent_share_;
  std::size_t unsent_ = 0;  // bytes that wait in all streams
  std::uint32_t announced_streams_ = 0;
  bool known_ = false;     // the peer has proved who it is
  bool failures_ = false;  // there are streams that are gone and whose handlers have to be told
  bool sending_ = false;   // nghttp2 is asked for frames: nobody may be called
  bool in_nghttp2_ = false;
  bool flush_scheduled_ = false;
  bool read_scheduled_ = false;
  bool closed_ = false;
  bool draining_ = false;
  bool abandoned_ = false;  // the owner let go inside a callback; finish() follows
  bool final_goaway_ = false;
  bool refuses_ = false;  // client: GOAWAY received
  bool had_request_ = false;
  bool times_head_ = false;

  io::Timer deadline_;  // the first request, a head under way, idleness
  io::Timer write_stall_;
  io::Timer keepalive_;
  io::Timer max_age_;
  io::Timer debts_;  // looks at what streams owe, while some do
  Clock::TimePoint last_read_;
  Clock::TimePoint ping_sent_{};
  bool ping_outstanding_ = false;
  Clock::TimePoint last_ping_received_{};
  bool serves_us_ = false;  // the peer has to answer PINGs even while it pauses
  int ping_strikes_ = 0;
  double resets_left_ = 0;
  Clock::TimePoint resets_counted_{};
};

}  // namespace towline::http
