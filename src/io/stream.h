#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/uio.h>

#include "base/status.h"

namespace towline::io {

/// What a non-blocking read or write did.
enum class Outcome {
  kDone,        // moved at least one byte
  kWouldBlock,  // nothing now; the handler will be told when to try again
  kEof,         // read: the peer has ended its direction; nothing more will come
  kError,       // the stream is broken; Stream::error() says why
};

struct Transfer {
  Outcome outcome;
  std::size_t bytes = 0;
};

/// What a transport knows of its peer without reading from it.
struct PeerState {
  /// The peer has ended its direction; bytes that came before may be unread.
  bool ended = false;
  /// The connection was reset or has timed out.
  bool lost = false;
  /// How long the peer's system has acknowledged nothing of what waits for its answer; zero when nothing
  /// does. The system of a peer that merely does not read acknowledges probes of its shut window, which are
  /// up to two minutes apart.
  std::chrono::milliseconds silence{0};
};

/// Learns when a stream can go on. Calls come from the stream's loop, never from inside a call to the
/// stream. The handler may destroy the stream in any of them.
class StreamHandler {
 public:
  /// A read that would have blocked may now give bytes, the end or an error.
  virtual void on_readable() = 0;
  /// A write that was cut short may now take more, or fail.
  virtual void on_writable() = 0;

 protected:
  ~StreamHandler() = default;
};

/// A two-way byte stream: TCP, TLS, WebSocket or one of them inside another. It belongs to one owner and
/// one loop; every call is made on that loop. Reading and writing never block and never call back.
///
/// The stream keeps no buffer while it is idle: the reader brings the buffer when there is something to
/// read. To pause reading, do not call read(): the peer is then held back by its own transport.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Replaces the handler; null: nobody listens. Until the first read or write nothing is reported.
  virtual void set_handler(StreamHandler* handler) = 0;

  /// Reads up to buffer.size() bytes. After kWouldBlock, and only then, on_readable comes once. After a
  /// kDone the caller calls again (now or later) until kWouldBlock to be woken again.
  virtual Transfer read(std::span<std::byte> buffer) = 0;

  /// Writes from `pieces` in order. kDone may cover fewer bytes than given; when fewer than all were taken
  /// on_writable comes once. kWouldBlock: none were taken. The bytes that were not taken must be offered
  /// again, the same ones, by the next write (TLS needs that).
  virtual Transfer write(std::span<const iovec> pieces) = 0;

  /// Ends our direction after all written bytes (FIN, close_notify, WebSocket close), best effort and
  /// without waiting. Reading goes on.
  virtual void shutdown_write() = 0;

  /// Why kError was returned.
  virtual const Status& error() const = 0;

  /// What is known of the peer now; nothing where the transport cannot tell. Costs a system call.
  virtual std::optional<PeerState> peer_state() const { return std::nullopt; }

  /// The protocol that TLS agreed on: "h2", "http/1.1", or empty.
  virtual std::string_view alpn() const { return {}; }
  /// Whether the bytes are protected by TLS on this leg.
  virtual bool secure() const { return false; }
  /// The peer's address, "192.0.2.1:443", for logs.
  virtual std::string_view peer() const = 0;
  /// The verified client certificate's subject, for mTLS; empty without one.
  virtual std::string_view peer_certificate_subject() const { return {}; }
};

/// Writes one piece.
inline Transfer write(Stream& stream, std::span<const std::byte> bytes) {
  const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  return stream.write(std::span(&piece, 1));
}

/// `stream`, with `already_read` bytes put back in front of what it will read next.
std::unique_ptr<Stream> unread(std::unique_ptr<Stream> stream, std::string already_read);

}  // namespace towline::io
