#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/destruction_watch.h"
#include "http/exchange.h"
#include "http/http1_input.h"
#include "http/http1_output.h"
#include "http/http1_parser.h"
#include "http/http1_text.h"
#include "http/limits.h"
#include "http/load.h"
#include "io/loop.h"
#include "io/stream.h"

namespace towline::http {

class Http1Connection;

/// What an exchange and its connection know of each other. Either may go first; the other is then told.
struct Http1Link {
  Http1Connection* connection = nullptr;
  ExchangeHandler* handler = nullptr;
};

/// What both ends of an HTTP/1.1 connection share: it moves bytes, credit and time, and leaves to the two
/// ends what messages mean. All that happens on a connection happens in run(), which the loop calls; what an
/// exchange is asked for from outside is noted and asks for a run. So callbacks never come from inside a
/// call, and what one turn of the loop writes leaves together.
///
/// Methods that call a handler return whether the connection still exists.
class Http1Connection : public io::StreamHandler {
 public:
  Http1Connection(const Http1Connection&) = delete;
  Http1Connection& operator=(const Http1Connection&) = delete;

  // Calls of the exchange.
  void write(std::span<const std::byte> data);
  void end(const Headers& trailers);
  void consume(std::size_t bytes);
  void reset();
  void allow_pauses() { pauses_ = true; }
  std::size_t unsent() const { return output_.unsent() + held_.size(); }
  /// As ServerExchange::liveness.
  std::weak_ptr<const void> liveness();
  /// The exchange is being destroyed.
  virtual void abandon() = 0;

  // io::StreamHandler
  void on_readable() final;
  void on_writable() final;

 protected:
  template <typename>
  friend class Http1Exchange;

  Http1Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, Http1Parser::Role role,
                  const Limits& limits, Loads loads = {});
  virtual ~Http1Connection();

  // What the ends add.
  /// Uses what it can of input_.
  virtual bool use_input() = 0;
  /// Whether to read on.
  virtual bool wants_input() const = 0;
  /// The peer has ended its direction (`status` is ok) or the stream is broken.
  virtual bool on_input_end(Status status) = 0;
  /// Moves on between messages, after all that could be read and written has been.
  virtual bool advance() = 0;
  /// Credit was given back.
  virtual void on_consume() {}
  /// The connection is over; the last call.
  virtual void closed(Status why) = 0;

  /// Asks for a run() in this turn of the loop.
  void request_run();
  void run();
  /// Notes that the connection cannot go on; the first reason counts.
  void fail(Status status);

  /// Begins our body in this framing; clears what the last one left.
  void begin_body(BodyFraming framing, std::uint64_t length, bool swallow);
  /// From here on both directions carry raw bytes.
  void begin_raw();
  void begin_exchange();
  /// To be called before an exchange learns that the connection is lost.
  void lose_liveness() { liveness_.reset(); }
  /// Separates exchange and connection; the handler, for a last call.
  ExchangeHandler* detach();

  /// Calls that return whether the connection still exists.
  template <typename Call>
  bool call(Call&& callback) {
    const DestructionWatch watch(destruction_);
    callback();
    return !watch.destroyed();
  }
  bool deliver_body(std::string_view data);
  /// Delivers raw input as far as credit goes.
  bool deliver_raw();
  bool deliver_raw_end();
  /// Fails the exchange, if any, and closes.
  bool fail_now();
  /// Ends the connection. Always false.
  bool close(Status why);

  std::size_t credit() const { return limits_.stream_window - std::min(unconsumed_, limits_.stream_window); }
  bool has_credit() const { return credit() >= resume_at_; }

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  const bool is_server_;
  const Limits limits_;
  const Loads loads_;
  const std::shared_ptr<const std::string> peer_;
  Http1Parser parser_;
  Http1Input input_;
  Http1Output output_;
  Http1Link* link_ = nullptr;
  Status failure_;
  bool reset_ = false;       // the exchange was given up
  bool eof_ = false;         // nothing more will be read
  bool moved_ = false;       // bytes came or left in this run
  bool writing_ = false;     // our body has begun
  bool our_end_ = false;     // and ended
  bool peer_ended_ = false;  // raw: the peer's direction has ended
  bool holding_ = false;     // bytes written wait in held_ until the peer has switched protocols
  std::string held_;
  bool pauses_ = false;  // the peer may leave our bytes unread, and send its own when it likes

 private:
  bool read_input();
  bool write_output();
  void defer_run();
  void put(std::span<const std::byte> data);
  void on_write_stall();
  /// Looks after a peer that is not read, or whose direction has ended: nothing else would tell of its death.
  void watch_peer();
  void look_at_peer();

  BodyFraming framing_ = BodyFraming::kNone;
  std::uint64_t body_left_ = 0;  // kLength
  bool swallow_ = false;
  std::size_t swallowed_ = 0;          // body bytes that nobody gets, to be reported as sent
  std::size_t unconsumed_ = 0;         // body bytes delivered and not given back
  std::size_t resume_at_;              // credit from which reading goes on
  std::size_t taken_ = 0;              // bytes that the peer has taken since the write timer began
  std::chrono::milliseconds idle_{0};  // how long nothing has moved while the peer was watched
  bool armed_ = false;                 // on_readable will come
  bool paused_ = false;
  bool running_ = false;
  bool again_ = false;
  bool scheduled_ = false;
  io::Timer write_timer_;
  io::Timer peer_timer_;
  UnsentShare unsent_share_;
  DestructionWatch::Subject destruction_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // for deferred tasks
  std::shared_ptr<const char> liveness_;  // made when asked for; gone once the connection is lost
};

/// The exchange that a handler holds; it only forwards.
template <typename Base>
class Http1Exchange : public Base {
 public:
  explicit Http1Exchange(Http1Connection& connection) : peer_(connection.peer_), loop_(connection.loop_) {
    link_.connection = &connection;
    connection.link_ = &link_;
  }
  ~Http1Exchange() override {
    if (link_.connection != nullptr) link_.connection->abandon();
  }
  Http1Exchange(const Http1Exchange&) = delete;
  Http1Exchange& operator=(const Http1Exchange&) = delete;

  void set_handler(ExchangeHandler* handler) override { link_.handler = handler; }
  void write(std::span<const std::byte> data) override {
    if (link_.connection != nullptr) link_.connection->write(data);
  }
  void end(const Headers& trailers) override {
    if (link_.connection != nullptr) link_.connection->end(trailers);
  }
  std::size_t unsent() const override { return link_.connection != nullptr ? link_.connection->unsent() : 0; }
  void consume(std::size_t bytes) override {
    if (link_.connection != nullptr) link_.connection->consume(bytes);
  }
  void reset() override {
    if (link_.connection != nullptr) link_.connection->reset();
  }
  void allow_pauses() override {
    if (link_.connection != nullptr) link_.connection->allow_pauses();
  }
  io::Loop& loop() override { return loop_; }
  std::string_view peer() const override { return *peer_; }

 protected:
  Http1Link link_;
  std::shared_ptr<const std::string> peer_;

 private:
  io::Loop& loop_;
};

}  // namespace towline::http
