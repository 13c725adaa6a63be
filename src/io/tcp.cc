#include "io/tcp.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>

#include <climits>

#include "io/address.h"
#include "io/descriptor.h"

namespace towline::io {
namespace {

// A peer that vanished is noticed after 30 + 3 * 10 seconds of silence, which also keeps the state of NAT
// boxes and load balancers alive: the meanest of those drop a connection after a minute.
constexpr int kKeepAliveIdleSeconds = 30;
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

// Best effort: a Unix socket has none of these, and works without.
void set_up(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

std::string peer_of(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getpeername(fd, address.get(), &address.size) != 0) return "unknown";
  return to_string(address);
}

class TcpStream final : public Stream, private Descriptor::Watcher {
 public:
  TcpStream(Loop& loop, int fd) : peer_(peer_of(fd)), descriptor_(loop, fd, this) {}

  void set_handler(StreamHandler* handler) override { handler_ = handler; }

  Transfer read(std::span<std::byte> buffer) override {
    if (buffer.empty()) return {Outcome::kDone};
    if (!readable_) return wait_to_read();
    const ssize_t n = retry([&] { return ::recv(descriptor_.fd(), buffer.data(), buffer.size(), 0); });
    if (n > 0) {
      const auto bytes = static_cast<std::size_t>(n);
      // A short read has emptied the socket: asking again would cost a system call to be told so.
      readable_ = bytes == buffer.size();
      return {Outcome::kDone, bytes};
    }
    if (n == 0) return {Outcome::kEof};
    if (errno != EAGAIN) return broken(errno);
    readable_ = false;
    return wait_to_read();
  }

  Transfer write(std::span<const iovec> pieces) override {
    std::size_t taken = 0;
    while (!pieces.empty()) {
      const auto batch = pieces.first(std::min<std::size_t>(pieces.size(), IOV_MAX));
      const Transfer sent = send(batch);
      if (sent.outcome == Outcome::kError) return sent;
      taken += sent.bytes;
      if (sent.outcome == Outcome::kWouldBlock) {
        descriptor_.wait_to_write();
        return {taken > 0 ? Outcome::kDone : Outcome::kWouldBlock, taken};
      }
      pieces = pieces.subspan(batch.size());
    }
    return {Outcome::kDone, taken};
  }

  void shutdown_write() override { ::shutdown(descriptor_.fd(), SHUT_WR); }
  const Status& error() const override { return error_; }
  std::string_view peer() const override { return peer_; }

  std::optional<PeerState> peer_state() const override {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor_.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
    PeerState state;
    state.lost = info.tcpi_state == TCP_CLOSE;
    state.ended = state.lost || info.tcpi_state == TCP_CLOSE_WAIT || info.tcpi_state == TCP_LAST_ACK ||
                  info.tcpi_state == TCP_CLOSING || info.tcpi_state == TCP_TIME_WAIT;
    if (info.tcpi_unacked > 0 || info.tcpi_probes > 0) {
      state.silence = std::chrono::milliseconds(info.tcpi_last_ack_recv);
    }
    return state;
  }

 private:
  template <typename Call>
  static ssize_t retry(Call call) {
    ssize_t n = 0;
    do n = call();
    while (n < 0 && errno == EINTR);
    return n;
  }

  // kDone when all of `batch` went, kWouldBlock when only `bytes` of it did.
  Transfer send(std::span<const iovec> batch) {
    if (!writable_) return {Outcome::kWouldBlock};
    std::size_t total = 0;
    for (const iovec& piece : batch) total += piece.iov_len;
    if (total == 0) return {Outcome::kDone};
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(batch.data());
    message.msg_iovlen = batch.size();
    const ssize_t n = retry([&] { return ::sendmsg(descriptor_.fd(), &message, MSG_NOSIGNAL); });
    if (n < 0 && errno != EAGAIN) return broken(errno);
    const std::size_t bytes = n < 0 ? 0 : static_cast<std::size_t>(n);
    // A short write has filled the socket.
    writable_ = bytes == total;
    return {writable_ ? Outcome::kDone : Outcome::kWouldBlock, bytes};
  }

  Transfer wait_to_read() {
    descriptor_.wait_to_read();
    return {Outcome::kWouldBlock};
  }

  Transfer broken(int error) {
    error_ = errno_status(error, "connection with " + peer_);
    return {Outcome::kError};
  }

  void ready_to_read() override {
    readable_ = true;
    if (handler_ != nullptr) handler_->on_readable();
  }
  void ready_to_write() override {
    writable_ = true;
    if (handler_ != nullptr) handler_->on_writable();
  }

  StreamHandler* handler_ = nullptr;
  bool readable_ = true;
  bool writable_ = true;
  Status error_;
  std::string peer_;
  Descriptor descriptor_;
};

}  // namespace

std::unique_ptr<Stream> adopt(Loop& loop, int fd) {
  set_up(fd);
  return std::make_unique<TcpStream>(loop, fd);
}

}  // namespace towline::io
