#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "http/exchange.h"
#include "http/limits.h"
#include "http/load.h"

namespace towline::io {
class Loop;
class Stream;
}  // namespace towline::io

namespace towline::http {

/// One connection of a server. Destroying it closes the connection and fails its exchanges.
class ServerConnection {
 public:
  virtual ~ServerConnection() = default;
  /// Takes no new requests (GOAWAY, "Connection: close"), lets running ones finish, then closes.
  virtual void drain() = 0;
  /// Requests under way.
  virtual std::size_t active() const = 0;
  /// Whether the peer has proved who it is, see ServerExchange::peer_is_known.
  virtual bool is_known() const = 0;
};

struct ServerConnectionOptions {
  Limits limits;
  /// What it shares with other connections.
  Loads loads;
  /// HTTP/2 keepalive enforcement: a peer that pings more often than this is sent GOAWAY with
  /// ENHANCE_YOUR_CALM ("too_many_pings"), as gRPC servers do. Zero: no enforcement.
  std::chrono::milliseconds min_ping_interval{20'000};
  /// HTTP/2: a PING after this much silence from the peer while exchanges run; without an answer within
  /// `keepalive_timeout` the connection fails. Zero: none.
  std::chrono::milliseconds keepalive{60'000};
  std::chrono::milliseconds keepalive_timeout{20'000};
  /// HTTP/2: the connection drains itself after this age. Zero: never.
  std::chrono::milliseconds max_age{0};
};

/// Serves HTTP/1.1 on `stream`. `on_closed` runs once, from the loop, when the connection is over; it may
/// destroy the connection.
std::unique_ptr<ServerConnection> serve_http1(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                              RequestHandler& handler, ServerConnectionOptions options,
                                              std::move_only_function<void()> on_closed);

/// Serves HTTP/2 (RFC 9113) on `stream`, from the connection preface on.
std::unique_ptr<ServerConnection> serve_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                              RequestHandler& handler, ServerConnectionOptions options,
                                              std::move_only_function<void()> on_closed);

/// Serves what the peer speaks: HTTP/2 where ALPN or the connection preface says so, else HTTP/1.1.
std::unique_ptr<ServerConnection> serve(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                        RequestHandler& handler, ServerConnectionOptions options,
                                        std::move_only_function<void()> on_closed);

}  // namespace towline::http
