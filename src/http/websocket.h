#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/exchange.h"
#include "http/headers.h"
#include "io/dial.h"

namespace towline::http {

/// The subprotocol under which the agent protocol's HTTP/2 bytes travel.
inline constexpr std::string_view kTunnelProtocol = "ws-tunnel";

/// Answers a WebSocket handshake (RFC 6455, section 4.2) that offers `protocol`, and gives the byte stream
/// inside its binary messages. On a request that is none, or offers other protocols only, answers 400 or 426
/// and gives null.
std::unique_ptr<io::Stream> accept_websocket(const RequestHead& head,
                                             std::unique_ptr<ServerExchange> exchange,
                                             std::string_view protocol);

struct WebSocketTarget {
  std::string authority;  // Host
  std::string target;     // path and query
  std::string protocol;
  Headers headers;  // added to the handshake
};

/// Shakes hands as a client over `stream`. Errors say what the server answered; redirects are not followed.
std::unique_ptr<io::Operation> connect_websocket(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                 WebSocketTarget target, std::chrono::milliseconds timeout,
                                                 io::StreamCallback callback);

}  // namespace towline::http
