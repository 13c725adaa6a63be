#include "io/listen.h"

#include <cerrno>
#include <chrono>
#include <expected>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "io/address.h"
#include "io/descriptor.h"
#include "io/loop.h"
#include "io/tcp.h"

namespace towline::io {
namespace {

/// Limit: connections that a listener takes before the loop's other work has its turn; the rest wait.
constexpr int kAcceptsPerWakeUp = 32;
/// Limit: connections that wait to be accepted; the kernel lets further ones try again. It clips this to
/// net.core.somaxconn; a reconnect of all agents at once fits.
constexpr int kBacklog = 4096;
// What accept() cannot do now it can when connections have been closed.
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};

void enable(int fd, int level, int option, int value = 1) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

class TcpListener final : public Listener, private Descriptor::Watcher {
 public:
  TcpListener(Loop& loop, int fd, SocketAddress address, Callback on_accept)
      : loop_(loop),
        address_(address),
        on_accept_(std::move(on_accept)),
        pause_(loop, [this] { accept_some(); }),
        descriptor_(loop, fd, this) {
    descriptor_.wait_to_read();
  }
  ~TcpListener() override {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  std::string address() const override { return to_string(address_); }
  std::uint16_t port() const override { return port_of(address_); }

 private:
  void ready_to_read() override { accept_some(); }

  void accept_some() {
    bool destroyed = false;
    destroyed_ = &destroyed;
    // The callback leaves the listener while it runs: it may destroy the listener.
    Callback on_accept = std::move(on_accept_);
    bool paused = false;
    for (int i = 0; i < kAcceptsPerWakeUp && !destroyed; ++i) {
      const int fd = ::accept4(descriptor_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        on_accept(adopt(loop_, fd));
        continue;
      }
      if (errno == EAGAIN) break;
      paused = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (paused) break;  // all else is about one connection that has gone already
    }
    if (destroyed) return;
    destroyed_ = nullptr;
    on_accept_ = std::move(on_accept);
    if (paused) {
      pause_.start(kPauseWithoutDescriptors);
    } else {
      descriptor_.wait_to_read();
    }
  }

  Loop& loop_;
  SocketAddress address_;
  Callback on_accept_;
  bool* destroyed_ = nullptr;  // set while connections are handed out
  Timer pause_;
  Descriptor descriptor_;
};

// The descriptor, or the errno value of what failed.
std::expected<int, int> open_listener(SocketAddress& address, bool shared_port) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  enable(fd, SOL_SOCKET, SO_REUSEADDR);
  if (shared_port) enable(fd, SOL_SOCKET, SO_REUSEPORT);
  if (address.family() == AF_INET6) enable(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(fd, address.get(), address.size) == 0 && ::listen(fd, kBacklog) == 0) {
    address.size = sizeof address.storage;
    if (::getsockname(fd, address.get(), &address.size) == 0) return fd;
  }
  const int error = errno;
  ::close(fd);
  return std::unexpected(error);
}

}  // namespace

Result<std::unique_ptr<Listener>> listen(Loop& loop, const std::string& host, std::uint16_t port,
                                         bool shared_port, Listener::Callback on_accept) {
  auto address = parse_address(host.empty() ? "::" : host, port);
  if (!address) return fail(address.error().with_prefix("listen on " + join_host_port(host, port)));
  auto fd = open_listener(*address, shared_port);
  const bool without_ipv6 = !fd && (fd.error() == EAFNOSUPPORT || fd.error() == EADDRNOTAVAIL);
  if (without_ipv6 && host.empty()) {
    address = parse_address("0.0.0.0", port);
    fd = open_listener(*address, shared_port);
  }
  if (!fd) return fail(errno_status(fd.error(), "listen on " + join_host_port(host, port)));
  return std::make_unique<TcpListener>(loop, *fd, *address, std::move(on_accept));
}

}  // namespace towline::io
