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
// How long a client may be slower than kMinRate.
constexpr std::size_t kSlowSeconds = 30;
constexpr std::chrono::seconds kWatch{1};
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
      grace_(loop_, [this] { on_grace(); }),
      watch_(loop_, [this] { on_watch(); }) {
  exchange_->set_handler(this);
}

Session::~Session() = default;

void Session::refuse(const http::Response& response) {
  if (exchange_) http::send(*exchange_, response);
  abandon();
}

// Only before there is a child.
void Session::abandon() {
  watch_.cancel();
  exchange_.reset();
  ticket_.reset();
  hooks_.over();
}

void Session::collect(RequestBody::Kind kind) {
  body_.emplace(kind);
  body_->add(std::exchange(early_, {}));
  if (body_ended_) body_->end();
  watch_.start(kWatch);
  exchange_->consume(0);  // answers "Expect: 100-continue"
  go_on();
}

void Session::run(Child child) {
  child_ = std::make_unique<Child>(std::move(child));
  input_ = std::make_unique<io::Descriptor>(loop_, child_->input.release(), &input_ready_);
  output_ = std::make_unique<io::Descriptor>(loop_, child_->output.release(), &output_ready_);
  error_output_ = std::make_unique<io::Descriptor>(loop_, child_->errors.release(), &errors_ready_);
  ended_ = std::make_unique<io::Descriptor>(loop_, child_->ended.release(), &ended_ready_);
  if (child_->link.open())
    link_ = std::make_unique<PushLink>(loop_, std::move(child_->link), hooks_.ask, log_);
  output_->wait_to_read();
  error_output_->wait_to_read();
  ended_->wait_to_read();
  seconds_ = 0;
  go_on();
}

void Session::answer(std::string text, bool last) {
  if (link_) link_->answer(std::move(text), last);
}

void Session::on_body(std::span<const std::byte> data) {
  moved_ += data.size();
  if (input_closed_) {
    exchange_->consume(data.size());  // the child wants no more; its answer is what counts
    return;
  }
  if (!body_) {
    early_ += as_text(data);
    return;
  }
  body_->add(as_text(data));
  go_on();
}

void Session::on_end(http::Headers) {
  body_ended_ = true;
  if (body_) body_->end();
  if (body_) go_on();
}

// False: it was garbled or too long, and the session may be over.
bool Session::unpack() {
  auto used = body_->unpack();
  if (!used) {
    give_up(used.error().code() == Code::kResourceExhausted ? 413 : 400, used.error().message());
    return false;
  }
  if (exchange_ && *used > 0) exchange_->consume(*used);
  return true;
}

void Session::go_on() {
  if (input_closed_) return;
  if (input_) return write_input();
  if (!unpack() || !body_->begun() || announced_) return;
  announced_ = true;
  seconds_ = 0;
  hooks_.begun();
}

void Session::write_input() {
  while (!input_closed_) {
    if (!unpack()) return;
    const std::string_view piece = body_->ready();
    if (piece.empty()) break;
    const ssize_t n = ::send(input_->fd(), piece.data(), piece.size(), MSG_NOSIGNAL);
    if (n > 0) {
      body_->take(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      return input_->wait_to_write();
    } else if (errno != EINTR) {
      return close_input();
    }
  }
  if (body_->done()) close_input();
}

void Session::close_input() {
  input_closed_ = true;
  if (exchange_ && body_) exchange_->consume(body_->drop());
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

void Session::on_sent(std::size_t bytes) {
  moved_ += bytes;
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
  if (!child_ && !released_) return abandon();
  exchange_.reset();
  watch_.cancel();
  output_.reset();
  output_ended_ = true;
  if (!child_) return finish_if_done();
  link_.reset();  // whatever it asks now, nobody wants it
  close_input();
  child_->kill(false);
  grace_.start(kGrace);
}

void Session::give_up(int status, const std::string& why) {
  const http::Response response = git_message(status, why);
  if (!child_ && !released_) return refuse(response);
  if (exchange_ && !responding_) http::send(*exchange_, response);
  on_failed({});
}

// Which of the two must do something for this to go on?
bool Session::too_slow() {
  const bool owes = body_ && !body_ended_ && body_->ready().empty();
  const std::size_t moved = std::exchange(moved_, 0);
  if (!owes && !paused_) {
    slow_seconds_ = slow_bytes_ = 0;
    return false;
  }
  slow_bytes_ += moved;
  if (++slow_seconds_ < kSlowSeconds) return false;
  const bool slow = slow_bytes_ < kMinRate * kSlowSeconds;
  slow_seconds_ = slow_bytes_ = 0;
  return slow;
}

void Session::on_watch() {
  if (!exchange_) return;
  ++seconds_;
  if (too_slow()) return give_up(408, "The request is too slow.");
  if (!child_ && announced_ && !released_ && seconds_ >= static_cast<std::size_t>(kMaxWait.count())) {
    http::Response response = git_message(503, "Too many clones and pushes at once; try again.");
    response.headers.add("retry-after", "10");
    return refuse(response);
  }
  if (seconds_ >= static_cast<std::size_t>(std::chrono::seconds(kMaxDuration).count()))
    return give_up(408, "The request takes too long.");
  if (const Status status = hooks_.check ? hooks_.check() : Status(); !status.ok())
    return give_up(503, status.message());
  watch_.start(kWatch);
}

void Session::child_ended() {
  const int status = child_->reap();
  child_.reset();
  ended_.reset();
  ticket_.reset();
  grace_.cancel();
  if (status != 0 && exchange_) {
    log_.warn("git http-backend failed", {{"status", status}, {"stderr", errors_}});
  }
  link_.reset();
  released_ = true;
  grace_.start(kGrace);
  finish_if_done();
}

// What the child wrote before it ended may still lie in the pipe or wait for a slow client.
void Session::finish_if_done() {
  if (!released_ || !output_ended_) return;
  grace_.cancel();
  watch_.cancel();
  released_ = false;
  begin_response();
  if (exchange_ && head_.complete()) exchange_->end();
  if (exchange_ && !head_.complete()) http::send(*exchange_, git_message(502, "git failed on the server."));
  exchange_.reset();
  hooks_.over();
}

void Session::on_grace() {
  if (child_) return child_->kill(true);
  if (paused_) return grace_.start(kGrace);
  // Something the child left behind holds its output open; it has nothing to say any more.
  output_.reset();
  output_ended_ = true;
  finish_if_done();
}

}  // namespace towline::control::git_http
