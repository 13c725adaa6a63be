#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "control/git_http/cgi.h"
#include "control/git_http/child.h"
#include "http/exchange.h"
#include "http/simple.h"
#include "io/descriptor.h"
#include "io/loop.h"

namespace towline::control::git_http {

/// Carries one request to a child process that speaks CGI, and its response back, both ways at once and
/// without ever holding more than a window of either. Lives on the exchange's loop. A client that goes away
/// takes the child with it.
class Session final : public http::ExchangeHandler {
 public:
  struct Hooks {
    /// The child has ended, well or not; `release` must be called once, on the loop, to let the response end.
    std::function<void(std::function<void()> release)> child_ended;
    /// The session is over and may be destroyed, but not from inside the call.
    std::function<void()> over;
  };

  Session(std::unique_ptr<http::ServerExchange> exchange, bool has_body, Logger log);
  ~Session();

  io::Loop& loop() { return loop_; }
  /// The client is still there.
  bool alive() const { return exchange_ != nullptr; }
  std::string_view peer() const { return peer_; }

  /// Begins to talk to the child. Until then the request's body waits.
  void run(Child child, Hooks hooks);
  /// Answers without a child.
  void refuse(const http::Response& response, Hooks hooks);

  void on_body(std::span<const std::byte> data) override;
  void on_end(http::Headers trailers) override;
  void on_sent(std::size_t bytes) override;
  void on_failed(Status status) override;

 private:
  struct Watcher final : io::Descriptor::Watcher {
    explicit Watcher(std::function<void()> then) : ready(std::move(then)) {}
    void ready_to_read() override { ready(); }
    void ready_to_write() override { ready(); }
    std::function<void()> ready;
  };

  void write_input();
  void close_input();
  void read_output();
  void take_output(std::string_view bytes);
  void begin_response();
  void read_errors();
  void child_ended();
  void finish_if_done();
  void on_timer();

  std::unique_ptr<http::ServerExchange> exchange_;
  io::Loop& loop_;
  std::string peer_;
  Logger log_;
  Hooks hooks_;

  std::string waiting_;  // of the request's body, for the child
  bool body_ended_;
  bool input_closed_ = false;

  CgiHead head_;
  std::string held_;  // of the child's output, until the response begins
  bool responding_ = false;
  bool output_ended_ = false;
  bool paused_ = false;    // the client does not keep up
  bool released_ = false;  // the child has ended and nothing else holds the response back
  std::string errors_;

  std::unique_ptr<Child> child_;
  Watcher input_ready_{[this] { write_input(); }};
  Watcher output_ready_{[this] { read_output(); }};
  Watcher errors_ready_{[this] { read_errors(); }};
  Watcher ended_ready_{[this] { child_ended(); }};
  std::unique_ptr<io::Descriptor> input_, output_, error_output_, ended_;
  io::Timer timer_;
};

}  // namespace towline::control::git_http
