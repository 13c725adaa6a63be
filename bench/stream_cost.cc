// What a stream costs: bytes of heap while it is idle, and time and allocations per round trip of 1 KiB, for
// TCP, TLS and WebSocket. Prints one line each. The time is for both ends on one thread.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <malloc.h>
#include <new>
#include <optional>
#include <sys/socket.h>

#include "io/loop.h"
#include "io/tcp.h"
#include "io/tls.h"
#include "io/websocket.h"

namespace {
std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace towline::io {
namespace {

using Ends = std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;
using Make = std::function<Ends(Loop&)>;
constexpr std::size_t kPairs = 500;

std::size_t heap() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

Ends sockets(Loop& loop) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) std::abort();
  return {adopt(loop, fds[0]), adopt(loop, fds[1])};
}

struct Tls {
  TlsIdentity ca = make_ca("bench").value();
  std::shared_ptr<TlsServerContext> server =
      TlsServerContext::create(
          {.identity = make_server_certificate(ca, {"a"}, std::chrono::hours(1)).value()})
          .value();
  std::shared_ptr<TlsClientContext> client = TlsClientContext::create({.ca = ca.certificate_chain}).value();

  Ends over(Loop& loop, Ends lower) const {
    Ends ends;
    const std::chrono::seconds limit(60);
    auto a = tls_connect(loop, std::move(lower.first), client, "a", {"h2"}, limit,
                         [&](auto result) { ends.first = std::move(result.value()); });
    auto b = tls_accept(loop, std::move(lower.second), server, limit,
                        [&](auto result) { ends.second = std::move(result.value()); });
    while (ends.first == nullptr || ends.second == nullptr) loop.poll();
    return ends;
  }
};

Ends websocket(Loop& loop, Ends lower) {
  return {websocket_stream(loop, std::move(lower.first), WebSocketRole::kClient),
          websocket_stream(loop, std::move(lower.second), WebSocketRole::kServer)};
}

// Sends back what comes, or sends the next when all has come back.
class Echo final : public StreamHandler {
 public:
  Echo(Stream& stream, bool leads) : stream_(stream), leads_(leads) { stream_.set_handler(this); }
  void send() { (void)write(stream_, std::span(message_)); }
  void on_writable() override {}
  void on_readable() override {
    std::byte buffer[16 * 1024];
    while (true) {
      const Transfer got = stream_.read(buffer);
      if (got.outcome != Outcome::kDone) return;
      received_ += got.bytes;
      if (received_ < sizeof message_) continue;
      received_ = 0;
      ++turns;
      if (!leads_ || turns < limit) send();
    }
  }
  std::size_t turns = 0;
  std::size_t limit = 0;

 private:
  Stream& stream_;
  bool leads_;
  std::size_t received_ = 0;
  std::byte message_[1024]{};
};

void ping_pong(Loop& loop, Ends& ends, std::size_t turns) {
  Echo leader(*ends.first, true);
  Echo follower(*ends.second, false);
  leader.limit = turns;
  leader.on_readable();
  follower.on_readable();
  leader.send();
  while (leader.turns < turns) loop.poll();
  ends.first->set_handler(nullptr);
  ends.second->set_handler(nullptr);
}

// Writes as fast as the stream takes it.
class Flood final : public StreamHandler {
 public:
  explicit Flood(Stream& stream) : stream_(stream) { stream_.set_handler(this); }
  void on_readable() override {}
  void on_writable() override {
    for (int i = 0; i < 16; ++i) {
      const Transfer put = write(stream_, std::span(bytes_).subspan(sent_ % bytes_.size()));
      sent_ += put.bytes;
      if (put.outcome != Outcome::kDone) return;
    }
  }

 private:
  Stream& stream_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(64 * 1024);
  std::size_t sent_ = 0;
};

double megabytes_per_second(Loop& loop, Ends& ends) {
  constexpr std::size_t kBytes = std::size_t{1} << 30U;
  Flood flood(*ends.first);
  ends.second->set_handler(nullptr);
  std::vector<std::byte> buffer(64 * 1024);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t received = 0; received < kBytes;) {
    flood.on_writable();
    for (Transfer got{Outcome::kDone}; got.outcome == Outcome::kDone; received += got.bytes) {
      got = ends.second->read(buffer);
    }
    loop.poll();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return kBytes / 1e6 / took.count();
}

void measure(const char* name, Loop& loop, const Make& make) {
  make(loop);  // what is made once and kept
  std::vector<Ends> pairs(kPairs);
  const std::size_t before = heap();
  for (Ends& ends : pairs) {
    ends = make(loop);
    ping_pong(loop, ends, 2);  // and idle again: both ends wait for bytes
  }
  const std::size_t both = heap();
  for (Ends& ends : pairs) ends.first.reset();
  loop.poll();
  const std::size_t servers = heap();
  pairs.clear();
  loop.poll();

  Ends ends = make(loop);
  ping_pong(loop, ends, 1000);
  constexpr std::size_t kTurns = 50'000;
  const std::size_t allocated = allocations;
  const auto begin = std::chrono::steady_clock::now();
  ping_pong(loop, ends, kTurns);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  const double per_turn = static_cast<double>(allocations - allocated) / kTurns;
  std::printf(
      "%-20s client %6.0f B idle, server %6.0f B idle, %5.2f us and %.2f allocations a round trip, %5.0f "
      "MB/s\n",
      name, static_cast<double>(both - servers) / kPairs, static_cast<double>(servers - before) / kPairs,
      took.count() / kTurns, per_turn, megabytes_per_second(loop, ends));
}

}  // namespace
}  // namespace towline::io

int main() {
  using namespace towline;
  using namespace towline::io;
  const SystemClock clock;
  Loop loop(clock);
  const Tls tls;
  measure("socket", loop, sockets);
  measure("TLS", loop, [&](Loop& l) { return tls.over(l, sockets(l)); });
  measure("WebSocket", loop, [&](Loop& l) { return websocket(l, sockets(l)); });
  measure("WebSocket over TLS", loop, [&](Loop& l) { return websocket(l, tls.over(l, sockets(l))); });
  return 0;
}
