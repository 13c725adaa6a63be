#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "http/http1_connection.h"
#include "http/server.h"

namespace towline::http {

/// The server's end of an HTTP/1.1 connection. Requests are answered one at a time, in their order: the next
/// head is parsed when the response has left and the request's body has been read or thrown away.
class Http1Server final : public ServerConnection, private Http1Connection {
 public:
  Http1Server(io::Loop& loop, std::unique_ptr<io::Stream> stream, RequestHandler& handler,
              const Limits& limits, Loads loads, std::move_only_function<void()> on_closed)
      : Http1Connection(loop, std::move(stream), Http1Parser::Role::kRequests, limits, std::move(loads)),
        handler_(handler),
        large_head_(loads_),
        on_closed_(std::move(on_closed)),
        read_timer_(loop, [this] { on_read_timeout(); }) {}

  void drain() override {
    draining_ = true;
    if (phase_ == Phase::kHead) request_run();
  }
  bool is_known() const override { return known_; }
  std::size_t active() const override { return phase_ == Phase::kExchange || phase_ == Phase::kRaw ? 1 : 0; }

 private:
  enum class Phase {
    kHead,      // between requests, or in a head
    kExchange,  // a request is being answered
    kRaw,       // after 101
    kLinger,    // the last response is leaving
    kTaken,     // the stream has another owner
  };
  enum class Waiting { kNothing, kHead, kRequest, kBody, kLinger };

  class Exchange final : public Http1Exchange<ServerExchange> {
   public:
    explicit Exchange(Http1Server& server) : Http1Exchange(server) {}
    void respond(const ResponseHead& head, bool end) override {
      if (link_.connection != nullptr) server().respond(head, end);
    }
    std::unique_ptr<io::Stream> take_stream() override {
      return link_.connection != nullptr ? server().take_stream() : nullptr;
    }
    void set_peer(std::string address) override {
      peer_ = std::make_shared<const std::string>(std::move(address));
    }
    void peer_is_known() override {
      if (link_.connection != nullptr) server().known_ = true;
    }
    std::weak_ptr<const void> liveness() const override {
      return link_.connection != nullptr ? link_.connection->liveness() : std::weak_ptr<const void>();
    }

   private:
    Http1Server& server() { return static_cast<Http1Server&>(*link_.connection); }
  };

  // The exchange's calls.
  void respond(const ResponseHead& head, bool end);
  void refuse_response(const Status& flaw, bool end);
  void respond_body(const ResponseHead& head, bool end);
  void switch_protocols(const ResponseHead& head);
  std::unique_ptr<io::Stream> take_stream();
  void abandon() override;
  void on_consume() override;

  // The connection's.
  bool use_input() override;
  bool wants_input() const override;
  bool on_input_end(Status status) override;
  bool advance() override;
  void closed(Status) override;

  bool parse();
  bool may_collect();
  bool begin_request();
  bool use_body(std::string_view body);
  bool end_request();
  bool refuse(Status failure, int status);
  bool next_request();
  void linger();
  void on_read_timeout();
  Waiting waiting() const;
  void watch_time();
  std::chrono::milliseconds patience(Waiting what) const;
  // Whether bytes of the request's body may still come.
  bool expects_body() const { return phase_ == Phase::kExchange && !request_done_; }

  RequestHandler& handler_;
  LargeHead large_head_;
  std::move_only_function<void()> on_closed_;
  io::Timer read_timer_;
  Waiting watched_ = Waiting::kNothing;
  Phase phase_ = Phase::kHead;
  bool draining_ = false;
  bool first_ = true;   // no request has come yet
  bool known_ = false;  // the peer has proved who it is

  // Of the request at hand.
  bool request_done_ = false;
  bool responded_ = false;
  bool keep_alive_ = true;
  bool awaits_continue_ = false;  // the client holds its body back until told to go on
  bool is_head_ = false;
  bool upgrade_ = false;
  std::size_t received_ = 0;  // bytes of the body since its timer began
  std::size_t discarded_ = 0;
  std::size_t lingered_ = 0;
  bool shut_ = false;
};

}  // namespace towline::http
