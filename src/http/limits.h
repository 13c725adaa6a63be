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
  /// Limit: names and values of one message's head, as much as Kubernetes API servers take; 431, or a
  /// response that fails with RESOURCE_EXHAUSTED. HTTP/2 peers are told of less, see kAnnouncedHead.
  std::size_t header_bytes = 1024 * 1024;
  /// Limit: fields in one head; the same as for header_bytes.
  std::size_t header_count = 1000;
  /// Limit: heads over kLargeHead that are collected at once for one address; 503 with Retry-After.
  std::size_t large_heads_of_address = 8;
  /// Limit: heads over kLargeHead that are collected at once by one host; 503 with Retry-After.
  std::size_t large_heads_of_host = 64;
  /// Limit: body bytes that a peer may send ahead of consume(), per exchange; the peer waits. Enough
  /// for 40 Mbit/s at 50 ms.
  std::size_t stream_window = 256 * 1024;
  /// Limit: unconsumed body bytes of all exchanges of one HTTP/2 connection; the connection's own
  /// window stays shut and all its exchanges wait.
  std::size_t connection_window = 16 * 1024 * 1024;
  /// Limit: the same for a connection whose peer has not proved who it is; all its exchanges wait.
  std::size_t stranger_window = 1024 * 1024;
  /// Limit: exchanges at once on one HTTP/2 connection, told to the peer in SETTINGS; REFUSED_STREAM,
  /// or once the peer has acknowledged the limit GOAWAY with PROTOCOL_ERROR.
  std::uint32_t streams = 256;
  /// Limit: the same until the peer has proved who it is; the same. Clients begin with so many before
  /// they have read SETTINGS.
  std::uint32_t stranger_streams = 100;
  /// Limit: unsent bytes of all answers of one HTTP/2 connection; the answer that owes most is reset
  /// with ENHANCE_YOUR_CALM, unless it is the only one or owes less than kFairUnsent.
  std::size_t connection_unsent = 64 * 1024 * 1024;
  /// Limit: the same until the peer has proved who it is; the same.
  std::size_t stranger_unsent = 4 * 1024 * 1024;
  /// Limit: unsent bytes of all answers of a host; strangers' requests are answered by 503 and
  /// answers that owe more than kFairUnsent are reset as they grow.
  std::size_t host_unsent = 512 * 1024 * 1024;
  /// Limit: unanswered streams that a client may reset ("rapid reset", CVE-2023-44487) or make this server
  /// reset by wrong frames ("MadeYouReset", CVE-2025-8671); GOAWAY with ENHANCE_YOUR_CALM. A stream
  /// that was answered before its request ended does not count: gRPC clients reset those, and an agent whose
  /// callers cancel has many.
  std::uint32_t reset_burst = 1000;
  /// Limit: how many of those are forgiven in a second; reset_burst is used up.
  std::uint32_t resets_per_second = 100;
  /// Limit: time from accept, or from the end of the last request, to a complete head; 408, or the
  /// connection is closed. Against slow-loris peers.
  std::chrono::milliseconds header_timeout{10'000};
  /// Limit: how long a connection may have no exchange; it is closed.
  std::chrono::milliseconds idle_timeout{120'000};
  /// Limit: how long a client that owes bytes of its request's body may send less than `min_rate` of them;
  /// 408.
  std::chrono::milliseconds body_timeout{60'000};
  /// Limit: how long a peer may take less than `min_rate` of the bytes that wait for it; its exchange
  /// fails, HTTP/1.1 closes the connection and HTTP/2 resets the stream. Exchange::allow_pauses lifts it.
  std::chrono::milliseconds write_timeout{60'000};
  /// Limit: bytes a second that a peer has to move at least, on the average of a time-out; one below it
  /// counts as not moving at all.
  std::size_t min_rate = 1024;
  /// Limit: how long the system of a peer that may pause acknowledges nothing of what waits for its answer;
  /// the peer is dead. It probes a shut window every two minutes at most.
  std::chrono::milliseconds peer_silence{300'000};
  /// Limit: how long nothing may move on an HTTP/1.1 connection whose client has ended its direction, be its
  /// last bytes read or not; the client counts as gone and the exchange fails.
  std::chrono::milliseconds half_closed_timeout{60'000};
};

/// Limit: what HTTP/2 peers are told of the size of heads (SETTINGS_MAX_HEADER_LIST_SIZE); they say
/// so themselves. The HPACK decoder takes no single field of more, and would end the connection over one.
inline constexpr std::size_t kAnnouncedHead = 64 * 1024;
/// Heads from this size on are counted, see Limits::large_heads_of_host.
inline constexpr std::size_t kLargeHead = 64 * 1024;
/// An answer that owes no more than this is nobody's burden: a relay that waits for its reader owes a window.
inline constexpr std::size_t kFairUnsent = 1024 * 1024;
/// The same for a stranger, who has no relays: all his streams together are within Limits::stranger_unsent.
inline constexpr std::size_t kStrangersFairUnsent = 32 * 1024;
/// Limit: informational (1xx) responses before a response; the exchange fails.
inline constexpr int kMaxInformational = 32;

/// Whether the system of the peer behind `stream` still answers; yes where nobody knows.
bool is_alive(const io::Stream& stream, const Limits& limits);

}  // namespace towline::http
