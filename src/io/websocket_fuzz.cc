// A WebSocket fed with arbitrary bytes: neither may it crash nor hang, and what it delivers is never more
// than what came.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "io/loop.h"
#include "io/pair.h"
#include "io/websocket.h"

namespace {

using towline::io::Outcome;
using towline::io::Transfer;

void drain(towline::io::Stream& stream, std::size_t at_a_time, std::size_t limit) {
  std::vector<std::byte> buffer(at_a_time);
  std::size_t total = 0;
  while (true) {
    const Transfer got = stream.read(buffer);
    if (got.outcome == Outcome::kError && stream.error().message().empty()) std::abort();
    if (got.outcome != Outcome::kDone) break;
    total += got.bytes;
    if (total > limit) std::abort();
  }
}

}  // namespace

// The first byte chooses the role, how the bytes are cut, and whether data is sent in between.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  const towline::SystemClock clock;
  towline::io::Loop loop(clock);
  auto [peer, lower] = towline::io::stream_pair(loop, (choice & 2) != 0 ? 64 : 1 << 20);
  const auto role =
      (choice & 1) != 0 ? towline::io::WebSocketRole::kClient : towline::io::WebSocketRole::kServer;
  auto stream = towline::io::websocket_stream(loop, std::move(lower), role, 1 << 16);
  const std::size_t cut = std::size_t{1} << (choice >> 4U);
  for (std::size_t at = 0; at < bytes.size();) {
    const Transfer put = towline::io::write(*peer, bytes.subspan(at, std::min(cut, bytes.size() - at)));
    at += put.bytes;
    if ((choice & 4) != 0)
      (void)towline::io::write(*stream, bytes.first(std::min<std::size_t>(10, bytes.size())));
    drain(*stream, (choice & 8) != 0 ? 3 : 4096, bytes.size());
    if ((choice & 2) == 0) {
      std::byte ignored[4096];
      while (peer->read(ignored).outcome == Outcome::kDone) continue;
    }
    loop.poll();
    if (put.outcome == Outcome::kError || stream->read(std::span<std::byte>()).outcome == Outcome::kError)
      break;
    if (put.bytes == 0) break;
  }
  peer->shutdown_write();
  drain(*stream, 4096, bytes.size());
  stream->shutdown_write();
  loop.poll();
  return 0;
}
