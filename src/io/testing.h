#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <netinet/in.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "io/dial.h"
#include "io/listen.h"
#include "io/loop.h"
#include "io/stream.h"

/// What the tests of streams share: running a loop until something is so, both ends of connections, and
/// traffic that checks itself.
namespace towline::io::testing {

/// Runs `loop` on this thread until `condition` holds; false when that takes too long.
template <typename Condition>
bool run_until(Loop& loop, Condition condition, std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (loop.poll() == 0) std::this_thread::yield();
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

/// Runs what is ready, several times over, for things that must not happen.
inline void settle(Loop& loop) {
  for (int i = 0; i < 20; ++i) {
    loop.poll();
    std::this_thread::yield();
  }
}

using Ends = std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;

/// A port of loopback that refuses connections, and is nobody else's, as long as the object lives.
class ClosedPort {
 public:
  ClosedPort() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* const generic = reinterpret_cast<sockaddr*>(&address_);
    if (bind(socket_, generic, size) != 0 || getsockname(socket_, generic, &size) != 0) std::abort();
  }
  ~ClosedPort() { close(socket_); }
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // bound, and never listens
  sockaddr_in address_{};
};

/// Both ends of a TCP connection over loopback: the one that connected, the one that accepted.
inline Ends tcp_pair(Loop& loop) {
  Ends ends;
  auto listener = listen(loop, "127.0.0.1", 0, false,
                         [&](std::unique_ptr<Stream> stream) { ends.second = std::move(stream); });
  auto resolver = system_resolver();
  auto dialer = direct_dialer(*resolver);
  auto operation =
      dialer->dial(loop, {.host = "127.0.0.1", .port = listener.value()->port()}, std::chrono::seconds(30),
                   [&](Result<std::unique_ptr<Stream>> result) { ends.first = std::move(result.value()); });
  run_until(loop, [&] { return ends.first != nullptr && ends.second != nullptr; });
  return ends;
}

/// Reads whatever comes until the end, unless paused.
class Reader : public StreamHandler {
 public:
  explicit Reader(Stream& stream) : stream_(stream) {
    stream_.set_handler(this);
    read();
  }
  virtual ~Reader() = default;

  void on_readable() override { read(); }
  void on_writable() override {}
  void read() {
    char buffer[1000];
    while (!ended && !failed) {
      const Transfer got = stream_.read(std::as_writable_bytes(std::span(buffer)));
      if (got.outcome == Outcome::kWouldBlock) return;
      ended = got.outcome == Outcome::kEof;
      failed = got.outcome == Outcome::kError;
      text.append(buffer, got.bytes);
    }
  }

  std::string text;
  bool ended = false;
  bool failed = false;

 private:
  Stream& stream_;
};

inline Transfer write_text(Stream& stream, std::string_view text) {
  return write(stream, std::as_bytes(std::span(text)));
}

/// The byte at `position` of the traffic: any loss, doubling or swap shows.
inline std::uint8_t byte_at(std::uint64_t position) {
  return static_cast<std::uint8_t>((position * 2654435761U) >> 13U);
}

/// Sends `total` bytes of traffic in writes of one to four pieces of random sizes and checks what it reads.
class Traffic final : public StreamHandler {
 public:
  Traffic(Stream& stream, std::uint64_t to_send, std::uint64_t to_receive, unsigned seed = 1)
      : stream_(stream), to_send_(to_send), to_receive_(to_receive), random_(seed), out_(kMax), in_(kMax) {
    stream_.set_handler(this);
  }

  void start() {
    send();
    receive();
  }
  bool done() const { return broken || (sent_ == to_send_ && received_ == to_receive_); }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }

  void on_readable() override {
    ++wakeups;
    receive();
  }
  void on_writable() override { send(); }

  void receive() {
    for (int turns = 0; !paused && !broken && received_ < to_receive_; ++turns) {
      if (turns == 64) return pause_receiving();
      const std::size_t wanted = size();
      const Transfer got = stream_.read(std::as_writable_bytes(std::span(in_).first(wanted)));
      if (got.outcome == Outcome::kWouldBlock) return;
      if (got.outcome != Outcome::kDone || got.bytes > wanted) return give_up("read");
      for (std::size_t i = 0; i < got.bytes; ++i) {
        if (in_[i] != byte_at(received_ + i)) return give_up("wrong byte");
      }
      received_ += got.bytes;
    }
  }

  bool paused = false;
  bool yielded = false;  // receive() is due again
  bool broken = false;
  std::string why;
  std::uint64_t wakeups = 0;

 private:
  static constexpr std::size_t kMax = 64 * 1024;

  // Sizes from one byte to 64 KiB, small ones as often as large ones.
  std::size_t size() {
    const std::size_t limit = std::size_t{1} << std::uniform_int_distribution<int>(0, 16)(random_);
    return std::uniform_int_distribution<std::size_t>(1, limit)(random_);
  }
  void pause_receiving() { yielded = true; }
  void give_up(const char* what) {
    broken = true;
    why = std::string(what) + " at " + std::to_string(received_) + ": " + stream_.error().to_string();
  }

  void send() {
    while (!broken && sent_ < to_send_) {
      if (offered_ == 0) offer();
      std::vector<iovec> pieces;
      const std::size_t count = std::uniform_int_distribution<std::size_t>(1, 4)(random_);
      for (std::size_t i = 0, at = 0; i < count && at < offered_; ++i) {
        const std::size_t n = i + 1 == count ? offered_ - at : (offered_ - at + 1) / 2;
        pieces.push_back({out_.data() + at, n});
        at += n;
      }
      const Transfer put = stream_.write(pieces);
      if (put.outcome == Outcome::kWouldBlock) return;
      if (put.outcome != Outcome::kDone || put.bytes > offered_) return give_up("write");
      const bool all = put.bytes == offered_;
      out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(put.bytes));
      offered_ -= put.bytes;
      sent_ += put.bytes;
      if (!all) return;
    }
  }
  void offer() {
    offered_ = static_cast<std::size_t>(std::min<std::uint64_t>(size(), to_send_ - sent_));
    out_.resize(offered_);
    for (std::size_t i = 0; i < offered_; ++i) out_[i] = byte_at(sent_ + i);
  }

  Stream& stream_;
  std::uint64_t to_send_;
  std::uint64_t to_receive_;
  std::mt19937 random_;
  std::vector<std::uint8_t> out_;
  std::vector<std::uint8_t> in_;
  std::size_t offered_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

/// Sends `bytes` both ways between two ends, checking each; returns what went wrong.
inline std::string exchange_traffic(Loop& loop, Stream& a, Stream& b, std::uint64_t bytes) {
  Traffic left(a, bytes, bytes, 1);
  Traffic right(b, bytes, bytes, 2);
  left.start();
  right.start();
  const bool finished = run_until(loop, [&] {
    for (Traffic* side : {&left, &right}) {
      if (std::exchange(side->yielded, false)) side->receive();
    }
    return (left.done() && right.done()) || left.broken || right.broken;
  });
  a.set_handler(nullptr);
  b.set_handler(nullptr);
  if (!finished)
    return "stuck at " + std::to_string(left.received()) + " and " + std::to_string(right.received());
  return left.why + right.why;
}

/// `sender` sends while the reader at `receiver` does nothing, until the sender is held back; then the rest
/// is read. Returns what went wrong.
inline std::string stall_and_resume(Loop& loop, Stream& sender, Stream& receiver, std::uint64_t bytes) {
  Traffic out(sender, bytes, 0, 3);
  Traffic in(receiver, 0, bytes, 4);
  out.start();
  std::uint64_t before = ~std::uint64_t{0};
  for (int quiet = 0; quiet < 50; quiet = before == out.sent() ? quiet + 1 : 0) {
    before = out.sent();
    settle(loop);
  }
  if (out.sent() == bytes) return "the writer was not held back";
  in.receive();
  const bool finished = run_until(loop, [&] {
    if (std::exchange(in.yielded, false)) in.receive();
    return (in.done() && out.done()) || out.broken || in.broken;
  });
  sender.set_handler(nullptr);
  receiver.set_handler(nullptr);
  return finished ? out.why + in.why : "stuck at " + std::to_string(in.received());
}

}  // namespace towline::io::testing
