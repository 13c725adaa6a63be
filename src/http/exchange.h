#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace towline::io {
class Stream;
class Loop;
}  // namespace towline::io

namespace towline::http {

/// Learns what the peer of an exchange does. All calls come from the exchange's loop, and never from inside
/// a call to the exchange. The handler may destroy the exchange in any of them.
///
/// Order: on_response (client only, once, after any number of informational responses, which are not
/// reported), on_body*, then on_end; or at any point on_failed, which is the last call.
class ExchangeHandler {
 public:
  /// The response has begun. `end`: it has no body, and on_end does not follow.
  virtual void on_response(ResponseHead head, bool end) { (void)head, (void)end; }
  /// Bytes of the peer's body. They count against the peer's window until Exchange::consume gives them back.
  virtual void on_body(std::span<const std::byte> data) = 0;
  /// The peer's body is complete. For requests whose head already said "no body" it does not come.
  virtual void on_end(Headers trailers) = 0;
  /// `bytes` of what was written have been handed to the transport.
  virtual void on_sent(std::size_t bytes) { (void)bytes; }
  /// The exchange is over before its end: the peer reset it, the connection broke, a limit was hit. After
  /// this nothing is called any more and all calls to the exchange do nothing.
  virtual void on_failed(Status status) = 0;

 protected:
  ~ExchangeHandler() = default;
};

/// One request and its response, seen from one end, over HTTP/1.1 or HTTP/2. Belongs to one loop and to the
/// one who holds it. Destroying an exchange that is not finished resets it: HTTP/2 sends RST_STREAM with
/// CANCEL, HTTP/1.1 closes the connection. A finished one gives its connection back for the next request.
///
/// Flow control is by credit and the same for both protocols: on_body delivers at most a window of bytes
/// (Limits::stream_window) ahead of consume(); write() accepts anything at once, and on_sent() says how much
/// has gone, so that a relay which consumes on one side what was sent on the other buffers at most a window.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual void set_handler(ExchangeHandler* handler) = 0;

  /// Appends to our body. What the transport does not take at once is copied and sent later. Small writes of
  /// one turn of the loop leave together with the head and the end.
  virtual void write(std::span<const std::byte> data) = 0;
  /// Ends our body.
  virtual void end(const Headers& trailers = {}) = 0;
  /// Bytes written that the transport has not taken yet.
  virtual std::size_t unsent() const = 0;

  /// From now on the peer may leave our bytes unread for as long as its connection lives, as somebody does
  /// who reads a log page by page, and send the rest of its body when it likes. To be called once it is known
  /// who the peer is. Without it unread bytes have Limits::write_timeout, a body that is owed has
  /// Limits::body_timeout, and both have a minimum rate, whether TCP is full or an HTTP/2 stream's window is
  /// shut. A peer whose system does not answer is dead either way.
  virtual void allow_pauses() {}

  /// Gives the peer back credit for `bytes` that on_body delivered.
  virtual void consume(std::size_t bytes) = 0;

  /// Ends the exchange at once, telling the peer as well as the protocol can. No further callbacks.
  virtual void reset() = 0;

  virtual io::Loop& loop() = 0;
  /// The peer's address, "192.0.2.1:443", or what set_peer() has given.
  virtual std::string_view peer() const = 0;
};

/// The server's end.
class ServerExchange : public Exchange {
 public:
  /// Begins the response; once. `end`: no body follows. Content-Length is taken from head.content_length;
  /// without it and without `end`, HTTP/1.1 uses chunks. Status 101 (with head.upgrade) turns an HTTP/1.1
  /// exchange into raw bytes both ways: write() and on_body() carry them, end() and on_end() are the FINs.
  /// A body that HTTP forbids (HEAD, 204, 304) is swallowed, and its length kept.
  virtual void respond(const ResponseHead& head, bool end = false) = 0;

  /// After respond(101) on HTTP/1.1: takes the connection's byte stream away, bytes already read included;
  /// the exchange is finished by that. Null on HTTP/2.
  virtual std::unique_ptr<io::Stream> take_stream() = 0;

  /// From now on peer() is `address`: whom a proxy that is trusted speaks for.
  virtual void set_peer(std::string address) = 0;

  /// Says that this connection's peer has proved who it is: its connection has the budgets of Limits instead
  /// of a stranger's, and a full host closes strangers' connections first. Costs nothing when it is repeated.
  virtual void peer_is_known() {}

  /// Lets this connection's peer run `streams` exchanges at once instead of Limits::streams, for peers that
  /// have proved who they are and take work of ours by this exchange: it may pause, and is known. Such a peer
  /// has to answer HTTP/2 keepalive also while it pauses. Nothing on HTTP/1.1.
  virtual void set_stream_limit(std::uint32_t streams) { (void)streams; }

  /// Closes the connection and fails its exchanges, soon but not from inside this call: its peer has lost its
  /// right to it. What was written before leaves. Nothing on HTTP/1.1.
  virtual void close_connection() {}

  /// Expires when the connection is lost or closed, before its exchanges are told; may be looked at from any
  /// thread.
  virtual std::weak_ptr<const void> liveness() const { return {}; }
};

/// The client's end; the request head is given when it is made (see client.h).
class ClientExchange : public Exchange {
 public:
  /// After a response with status 101: takes the connection's byte stream away, as
  /// ServerExchange::take_stream.
  virtual std::unique_ptr<io::Stream> take_stream();
};

/// Answers requests. One handler serves many connections; calls come from each connection's loop.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  /// A request head has arrived. `has_body` is false when the request ended with its head. The callee owns
  /// the exchange, sets its handler before it returns and answers now or later. For a request with "Expect:
  /// 100-continue", 100 is sent with the first consume() or by consume(0).
  virtual void on_request(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange) = 0;
};

}  // namespace towline::http
