#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "control/git_http/cgi.h"
#include "control/git_http/child.h"
#include "control/git_http/push_link.h"
#include "control/git_http/request_body.h"
#include "control/git_http/slots.h"
#include "http/exchange.h"
#include "http/simple.h"
#include "io/descriptor.h"
#include "io/loop.h"

namespace towline::control::git_http {

/// Limit: how long a clone, fetch or push may take; it is ended.
inline constexpr std::chrono::minutes kMaxDuration{60};
/// Limit: bytes a second below which a client may not stay for 30 s, be it that it sends or that it reads; it
/// is cut off.
inline constexpr std::size_t kMinRate = 1024;
/// Limit: how long a clone, fetch or push waits for its turn; it is answered by 503.
inline constexpr std::chrono::seconds kMaxWait{30};

/// Carries one request to a child process that speaks CGI, and its response back, both ways at once and
/// without ever holding more than a window of either. Lives on the exchange's loop. A client that goes away
/// takes the child with it.
///
/// In order: collect(), where the client may send; hold(), a place in the queue; run(). At any point
/// refuse().
class Session final : public http::ExchangeHandler {
 public:
  struct Hooks {
    /// The request has begun in earnest: it is worth a process.
    std::function<void()> begun;
    /// What a push asks; answer() follows.
    PushLink::Ask ask;
    /// The session is over and may be destroyed, but not from inside the call.
    std::function<void()> over;
    /// Asked each second of a push: nothing, or why it may not go on.
    std::function<Status()> check;
  };

  Session(std::unique_ptr<http::ServerExchange> exchange, bool has_body, Logger log);
  ~Session();
  /// Before the first turn of the loop.
  void set_hooks(Hooks hooks) { hooks_ = std::move(hooks); }

  io::Loop& loop() { return loop_; }
  std::string_view peer() const { return peer_; }
  /// The client is still there.
  bool alive() const { return exchange_ != nullptr; }

  void peer_is_known() { exchange_->peer_is_known(); }
  void collect(RequestBody::Kind kind);
  void hold(std::unique_ptr<Slots::Ticket> ticket) { ticket_ = std::move(ticket); }
  /// Begins to talk to the child.
  void run(Child child);
  /// Answers a push; nothing when it is over.
  void answer(std::string text, bool last);
  /// Answers without a child.
  void refuse(const http::Response& response);

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

  bool unpack();
  void go_on();
  void write_input();
  void close_input();
  void read_output();
  void take_output(std::string_view bytes);
  void begin_response();
  void read_errors();
  void child_ended();
  void finish_if_done();
  void on_grace();
  void on_watch();
  bool too_slow();
  void give_up(int status, const std::string& why);
  void abandon();

  std::unique_ptr<http::ServerExchange> exchange_;
  io::Loop& loop_;
  std::string peer_;
  Logger log_;
  Hooks hooks_;

  bool body_ended_;
  std::string early_;                // what has come before it is known whether it may
  std::optional<RequestBody> body_;  // once that is known
  bool announced_ = false;           // that it has begun
  bool input_closed_ = false;

  CgiHead head_;
  std::string held_;  // of the child's output, until the response begins
  bool responding_ = false;
  bool output_ended_ = false;
  bool paused_ = false;    // the client does not keep up
  bool released_ = false;  // the child has ended and the response has not
  std::string errors_;

  std::unique_ptr<Slots::Ticket> ticket_;
  std::unique_ptr<Child> child_;
  std::unique_ptr<PushLink> link_;
  Watcher input_ready_{[this] { go_on(); }};
  Watcher output_ready_{[this] { read_output(); }};
  Watcher errors_ready_{[this] { read_errors(); }};
  Watcher ended_ready_{[this] { child_ended(); }};
  std::unique_ptr<io::Descriptor> input_, output_, error_output_, ended_;
  io::Timer grace_;

  // Whether the client is alive.
  io::Timer watch_;
  std::size_t moved_ = 0;  // bytes from and to the client in this second
  std::size_t seconds_ = 0;
  std::size_t slow_seconds_ = 0;
  std::size_t slow_bytes_ = 0;
};

}  // namespace towline::control::git_http
