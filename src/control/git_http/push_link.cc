#include "control/git_http/push_link.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace towline::control::git_http {

PushLink::PushLink(io::Loop& loop, ::towline::Descriptor fd, Ask ask, Logger log)
    : loop_(loop),
      ask_(std::move(ask)),
      log_(std::move(log)),
      descriptor_(std::make_unique<io::Descriptor>(loop, fd.release(), this)) {
  descriptor_->wait_to_read();
}

void PushLink::ready_to_read() {
  if (!descriptor_) return;
  const std::span<std::byte> buffer = loop_.scratch();
  const ssize_t n = ::read(descriptor_->fd(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return descriptor_->wait_to_read();
  if (n <= 0) return close();
  std::string reply;
  auto asked =
      dialogue_.take({reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(n)}, reply);
  if (!asked) {
    log_.error("a push is refused", {{"error", asked.error().message()}});
    return close();
  }
  if (!reply.empty()) answer(std::move(reply), false);
  if (!*asked) {
    if (descriptor_) descriptor_->wait_to_read();
    return;
  }
  ask_(std::move(**asked));
}

void PushLink::answer(std::string text, bool last) {
  unsent_ += text;
  last_ = last_ || last;
  write();
  if (descriptor_) descriptor_->wait_to_read();
}

void PushLink::write() {
  while (descriptor_ && !unsent_.empty()) {
    const ssize_t n = ::send(descriptor_->fd(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (n > 0) {
      unsent_.erase(0, static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      return descriptor_->wait_to_write();
    } else if (errno != EINTR) {
      return close();
    }
  }
  if (descriptor_ && last_) ::shutdown(descriptor_->fd(), SHUT_WR);
}

}  // namespace towline::control::git_http
