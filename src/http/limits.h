#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace towline::io {
class Stream;
}  // namespace towline::io

namespace towline::http {

/// What one connection may cost. Every limit has a defined answer when it is hit.
struct Limits {
  /// Names and values of one message's head. Kubernetes itself allows 1 MiB in total, but nobody sends that;
  /// Over it: 431, or a response that fails with RESOURCE_EXHAUSTED.
  std::size_t header_bytes = 64 * 1024;
  /// Fields in one head. Over it: as header_bytes.
  std::size_t header_count = 256;
  /// Body bytes a peer may send ahead of consume(), per exchange. Enough for 40 Mbit/s at 50 ms.
  std::size_t stream_window = 256 * 1024;
  /// Unconsumed body bytes of all exchanges of one HTTP/2 connection. While it is exceeded the connection's
  /// own window stays shut and all its exchanges wait.
  std::size_t connection_window = 16 * 1024 * 1024;
  /// Exchanges at once on one HTTP/2 connection; told to the peer in SETTINGS. Over it: REFUSED_STREAM, or
  /// once the peer has acknowledged the limit GOAWAY with PROTOCOL_ERROR.
  std::uint32_t streams = 256;
  /// Unanswered streams that a client may reset ("rapid reset", CVE-2023-44487) or make this server reset by
  /// wrong frames ("MadeYouReset", CVE-2025-8671). Over it: GOAWAY with ENHANCE_YOUR_CALM. A stream that was
  /// answered before its request ended does not count: gRPC clients reset those, and an agent whose callers
  /// cancel has many.
  std::uint32_t reset_burst = 1000;
  std::uint32_t resets_per_second = 100;
  /// From accept, or from the end of the last request, to a complete head. Against slow-loris peers.
  std::chrono::milliseconds header_timeout{10'000};
  /// A connection without an exchange is closed after this.
  std::chrono::milliseconds idle_timeout{120'000};
  /// A client that owes bytes of its request's body and sends none for this long is dead. Over it: 408.
  std::chrono::milliseconds body_timeout{60'000};
  /// Limit: how long a peer may take none of the bytes that wait for it; over it its exchange fails, HTTP/1.1
  /// closes the connection and HTTP/2 resets the stream. Exchange::allow_pauses lifts it.
  std::chrono::milliseconds write_timeout{60'000};
  /// Limit: how long the system of a peer that may pause acknowledges nothing of what waits for its answer;
  /// over it the peer is dead. It probes a shut window every two minutes at most.
  std::chrono::milliseconds peer_silence{300'000};
};

/// Whether the system of the peer behind `stream` still answers; yes where nobody knows.
bool is_alive(const io::Stream& stream, const Limits& limits);

}  // namespace towline::http
