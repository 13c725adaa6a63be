#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "http/exchange.h"
#include "http/limits.h"

namespace towline::io {
class Loop;
class Stream;
}  // namespace towline::io

namespace towline::http {

/// One connection of a client.
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  /// Begins a request. `end`: it has no body. Null when the connection can take none (see available).
  /// Content-Length is taken from head.content_length; without it HTTP/1.1 sends chunks. ABORTED when the
  /// peer says that it did nothing with the request (HTTP/2: REFUSED_STREAM, or a GOAWAY with a smaller id),
  /// or closed an HTTP/1.1 connection without a byte of an answer.
  virtual std::unique_ptr<ClientExchange> open(const RequestHead& head, bool end,
                                               ExchangeHandler* handler) = 0;
  /// Requests that could be opened now: HTTP/1.1 at most one; 0 on a closed or draining connection.
  virtual std::size_t available() const = 0;
  /// Requests under way.
  virtual std::size_t active() const = 0;
};

struct ClientConnectionOptions {
  Limits limits;
  /// HTTP/2: a PING after this much silence, also without requests; the connection fails when the answer does
  /// not come within `keepalive_timeout`. Zero: none.
  std::chrono::milliseconds keepalive{0};
  std::chrono::milliseconds keepalive_timeout{20'000};
};

/// Told once, from the loop, that the connection is over or will take no more requests (`status` says why:
/// GOAWAY is UNAVAILABLE). It may destroy the connection when active() is 0.
using ConnectionClosed = std::move_only_function<void(Status status)>;

/// Speaks HTTP/1.1 on `stream`. A request with head.upgrade that is answered by 101 continues as raw bytes
/// both ways, as in ServerExchange::respond.
std::unique_ptr<ClientConnection> connect_http1(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                ClientConnectionOptions options, ConnectionClosed on_closed);

/// Speaks HTTP/2 on `stream`, with prior knowledge or after ALPN.
std::unique_ptr<ClientConnection> connect_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                ClientConnectionOptions options, ConnectionClosed on_closed);

}  // namespace towline::http
