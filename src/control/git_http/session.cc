#include "control/git_http/session.h"

#include <algorithm>
#include <cerrno>
#include <span>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "control/git_http/gate.h"

namespace towline::control::git_http {
namespace {

// Output that waits for a slow client; the child waits beyond it.
constexpr std::size_t kMaxUnsent = 256 * 1024;
// Of what the child says on standard error, for the log.
constexpr std::size_t kMaxErrors = 4096;
// Output that waits for the end of the request; a child with more to say is let through.
constexpr std::size_t kMaxHeld = 64 * 1024;
// A child that was asked to end has this long to clean up.
constexpr std::chrono::seconds kGrace{5};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Session::Session(std::unique_ptr<http::ServerExchange> exchange, bool has_body, Logger log)
    : exchange_(std::move(exchange)),
      loop_(exchange_->loop()),
      peer_(exchange_->peer()),
      log_(std::move(log)),
      body_ended_(!has_body),
      timer_(loop_, [this] { on_timer(); }) {
  exchange_->set_handler(this);
}

Session::~Session() = default;

void Session::refuse(const http::Response& response, Hooks hooks) {
  if (exchange_) http::send(*exchange_, response);
  exchange_.reset();
  hooks.over();
}

void Session::run(Child child, Hooks hooks) {
  hooks_ = std::move(hooks);
  child_ = std::make_unique<Child>(std::move(child));
  input_ = std::make_unique<io::Descriptor>(loop_, child_->input.release(), &input_ready_);
  output_ = std::make_unique<io::Descriptor>(loop_, child_->output.release(), &output_ready_);
  error_output_ = std::make_unique<io::Descriptor>(loop_, child_->errors.release(), &errors_ready_);
  ended_ = std::make_unique<io::Descriptor>(loop_, child_->ended.release(), &ended_ready_);
  output_->wait_to_read();
  error_output_->wait_to_read();
  ended_->wait_to_read();
  exchange_->consume(0);  // answers "Expect: 100-continue"
  write_input();
}

void Session::on_body(std::span<const std::byte> data) {
  if (input_closed_) {
    exchange_->consume(data.size());  // the child wants no more; its answer is what counts
    return;
  }
  waiting_ += as_text(data);
  if (input_) write_input();
}

void Session::on_end(http::Headers) {
  body_ended_ = true;
  if (input_) write_input();
}

void Session::write_input() {
  std::size_t written = 0;
  while (!input_closed_ && written < waiting_.size()) {
    const ssize_t n =
        ::send(input_->fd(), waiting_.data() + written, waiting_.size() - written, MSG_NOSIGNAL);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      input_->wait_to_write();
      break;
    } else if (errno != EINTR) {
      written = waiting_.size();
      close_input();
    }
  }
  waiting_.erase(0, written);
  if (body_ended_ && waiting_.empty()) close_input();
  if (exchange_ && written > 0) exchange_->consume(written);
}

void Session::close_input() {
  input_closed_ = true;
  if (input_ && input_->fd() >= 0) ::shutdown(input_->fd(), SHUT_WR);
  begin_response();
}

void Session::read_output() {
  if (!output_) return;
  const std::span<std::byte> buffer = loop_.scratch();
  const ssize_t n = ::read(output_->fd(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return output_->wait_to_read();
  if (n <= 0) {
    output_.reset();
    output_ended_ = true;
    return finish_if_done();
  }
  take_output(as_text(buffer.first(static_cast<std::size_t>(n))));
  if (!output_) return;
  paused_ = exchange_ && exchange_->unsent() >= kMaxUnsent;
  if (!paused_) output_->wait_to_read();
}

void Session::take_output(std::string_view bytes) {
  if (!exchange_) return;
  if (!head_.complete()) {
    auto taken = head_.take(bytes);
    if (!taken) {
      log_.error("git http-backend answered nonsense", {{"error", taken.error().message()}});
      output_.reset();
      output_ended_ = true;
      if (child_) child_->kill(false);
      return finish_if_done();
    }
    bytes.remove_prefix(*taken);
    if (!head_.complete()) return;
  }
  if (!responding_ && !input_closed_ && held_.size() + bytes.size() <= kMaxHeld) {
    held_ += bytes;
    return;
  }
  begin_response();
  if (!bytes.empty()) exchange_->write(std::as_bytes(std::span(bytes)));
}

// git http-backend writes its head before it has read the request. It waits here for the request's end:
// nginx, for one, sends no more of a request once it has the response's head, and curl 7.88 garbles an HTTP/2
// upload.
void Session::begin_response() {
  if (responding_ || !exchange_ || !head_.complete()) return;
  responding_ = true;
  exchange_->respond(head_.head());
  const std::string held = std::exchange(held_, {});
  if (!held.empty()) exchange_->write(std::as_bytes(std::span(held)));
}

void Session::on_sent(std::size_t) {
  if (!paused_ || !output_ || exchange_->unsent() >= kMaxUnsent) return;
  paused_ = false;
  output_->wait_to_read();
}

void Session::read_errors() {
  const std::span<std::byte> buffer = loop_.scratch();
  const ssize_t n = ::read(error_output_->fd(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return error_output_->wait_to_read();
  if (n <= 0) return;
  const std::string_view text = as_text(buffer.first(static_cast<std::size_t>(n)));
  errors_ += text.substr(0, kMaxErrors - std::min(kMaxErrors, errors_.size()));
  error_output_->wait_to_read();
}

void Session::on_failed(Status) {
  exchange_.reset();
  output_.reset();
  output_ended_ = true;
  if (child_) {
    close_input();
    child_->kill(false);
    timer_.start(kGrace);
  } else {
    finish_if_done();
  }
}

void Session::child_ended() {
  const int status = child_->reap();
  child_.reset();
  ended_.reset();
  timer_.cancel();
  if (status != 0 && exchange_) {
    log_.warn("git http-backend failed", {{"status", status}, {"stderr", errors_}});
  }
  hooks_.child_ended([this] {
    released_ = true;
    timer_.start(kGrace);
    finish_if_done();
  });
}

// What the child wrote before it ended may still lie in the pipe or wait for a slow client.
void Session::finish_if_done() {
  if (!released_ || !output_ended_) return;
  timer_.cancel();
  released_ = false;
  begin_response();
  if (exchange_ && head_.complete()) exchange_->end();
  if (exchange_ && !head_.complete()) http::send(*exchange_, git_message(502, "git failed on the server."));
  exchange_.reset();
  hooks_.over();
}

void Session::on_timer() {
  if (child_) return child_->kill(true);
  if (paused_) return timer_.start(kGrace);
  // Something the child left behind holds its output open; it has nothing to say any more.
  output_.reset();
  output_ended_ = true;
  finish_if_done();
}

}  // namespace towline::control::git_http
