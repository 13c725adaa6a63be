#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/headers.h"

namespace towline::io {
class Loop;
}

namespace towline::grpc {

/// Metadata of a call: header fields without HTTP's own and gRPC's own (content-type, te, grpc-*). Values of
/// names that end in "-bin" are raw bytes.
using Metadata = http::Headers;

using MessageView = std::span<const std::byte>;

inline MessageView message_view(std::string_view bytes) {
  return std::as_bytes(std::span(bytes.data(), bytes.size()));
}
inline std::string_view text_view(MessageView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A message in parts that lie in different places, so that a prefix can be put before a body without a copy.
using MessageParts = std::span<const MessageView>;

/// What the server's end of a call learns. Calls come from the call's loop, never from inside a call to it,
/// and the handler may destroy the call in any of them.
class ServerCallHandler {
 public:
  /// One message of the client, decompressed. It counts against the client's window until ServerCall::consume
  /// gives its bytes back.
  virtual void on_message(MessageView message) = 0;
  /// The client will send no more.
  virtual void on_half_close() = 0;
  /// Bytes of messages that have left.
  virtual void on_sent(std::size_t bytes) { (void)bytes; }
  /// The client cancelled, the deadline passed or the connection broke. The last call.
  virtual void on_cancelled(Status why) = 0;

 protected:
  ~ServerCallHandler() = default;
};

/// The server's end of a gRPC call of any kind (unary ones send and receive one message). Destroying an
/// unfinished call cancels it.
class ServerCall {
 public:
  virtual ~ServerCall() = default;
  virtual void set_handler(ServerCallHandler* handler) = 0;
  /// Sends the initial metadata; the first message sends it, empty, where this was not called.
  virtual void send_metadata(const Metadata& metadata) = 0;
  virtual void send(MessageParts parts) = 0;
  /// Ends the call. Nothing can be sent after it.
  virtual void finish(const Status& status, const Metadata& trailers = {}) = 0;
  virtual void consume(std::size_t bytes) = 0;
  virtual std::size_t unsent() const = 0;
  virtual io::Loop& loop() = 0;
  virtual std::string_view peer() const = 0;
  /// The caller has proved who it is: its connection has a known peer's budgets. What Server::add calls
  /// guarded waits for this.
  virtual void caller_is_known() {}
  /// The caller may leave our bytes unread for as long as its connection lives; see http::Exchange.
  virtual void allow_pauses() {}
  /// From now on messages may have this size, instead of what the method was added with.
  virtual void set_message_limit(std::size_t bytes) { (void)bytes; }
  /// Lets the connection that carries the call carry this many at once; see http::ServerExchange.
  virtual void set_stream_limit(std::uint32_t streams) { (void)streams; }
  /// Closes the connection that carries the call; see http::ServerExchange.
  virtual void close_connection() {}
  /// Expires with the connection that carries the call; see http::ServerExchange.
  virtual std::weak_ptr<const void> liveness() const { return {}; }

  void send(MessageView message) { send(MessageParts(&message, 1)); }
};

/// What the client's end of a call learns; the same rules.
class ClientCallHandler {
 public:
  virtual void on_metadata(Metadata metadata) { (void)metadata; }
  virtual void on_message(MessageView message) = 0;
  virtual void on_sent(std::size_t bytes) { (void)bytes; }
  /// The call is over: the server's status, or why there is none. The last call.
  virtual void on_finish(Status status, Metadata trailers) = 0;

 protected:
  ~ClientCallHandler() = default;
};

/// The client's end of a call. Destroying an unfinished call cancels it.
class ClientCall {
 public:
  virtual ~ClientCall() = default;
  virtual void send(MessageParts parts) = 0;
  /// No more messages will be sent.
  virtual void half_close() = 0;
  virtual void consume(std::size_t bytes) = 0;
  virtual std::size_t unsent() const = 0;
  /// The server may leave our bytes unread for as long as its connection lives; see http::Exchange.
  virtual void allow_pauses() {}

  void send(MessageView message) { send(MessageParts(&message, 1)); }
};

/// A call that has arrived.
struct IncomingCall {
  std::string method;  // "/package.Service/Method"
  Metadata metadata;
  std::unique_ptr<ServerCall> call;
};

/// Answers calls; one handler serves many connections, each from its own loop. It sets the call's handler
/// before it returns.
using CallHandler = std::function<void(IncomingCall)>;

}  // namespace towline::grpc
