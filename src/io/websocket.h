#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "io/stream.h"

namespace towline::io {

class Loop;

/// Which end of a WebSocket this is: clients mask what they send (RFC 6455, section 5.3).
enum class WebSocketRole { kClient, kServer };

inline constexpr std::size_t kMaxWebSocketMessage = 10 * 1024 * 1024;

/// A byte stream inside the binary messages of a WebSocket (RFC 6455) whose handshake is done. Message
/// boundaries carry no meaning; a text message, a message over `max_message` bytes or a protocol error
/// breaks the stream, and the peer is told by a close frame. Pings are answered. No compression. Sends
/// messages of one frame and at most 64 KiB.
///
/// The peer's close frame is answered and gives kEof when it says 1000 or 1001 or nothing, else kError with
/// what it says; an end of `lower` between frames gives kEof. After the peer's close frame, or
/// shutdown_write(), writing fails.
///
/// `peer`: who is at the other end, where that is not who is at `lower`'s.
std::unique_ptr<Stream> websocket_stream(Loop& loop, std::unique_ptr<Stream> lower, WebSocketRole role,
                                         std::size_t max_message = kMaxWebSocketMessage,
                                         std::string peer = {});

/// A random Sec-WebSocket-Key.
std::string websocket_key();
/// The Sec-WebSocket-Accept that answers `key` (RFC 6455, section 4.2.2).
std::string websocket_accept(std::string_view key);

}  // namespace towline::io
