#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "grpc/call.h"

namespace towline::grpc {

/// Limit: a message, compressed or not; over it the call ends with RESOURCE_EXHAUSTED. The agent protocol's
/// own.
inline constexpr std::size_t kMaxMessage = 10 * 1024 * 1024;

/// The five bytes before each message: not compressed, and its length (gRPC over HTTP/2,
/// "Length-Prefixed-Message").
std::array<std::byte, 5> message_prefix(std::size_t length);

/// Takes a body apart into messages. A message that lies whole in one piece of input is given out without a
/// copy.
class Deframer {
 public:
  explicit Deframer(std::size_t max_message = kMaxMessage) : max_message_(max_message) {}

  /// Offers the next piece of the body. It must stay valid until next() has returned nothing.
  void push(std::span<const std::byte> data) { input_ = data; }

  /// The next complete message, decompressed; nothing when more input is needed. Valid until the next call.
  /// Errors: RESOURCE_EXHAUSTED for a message that is too large, INTERNAL for one that is malformed.
  Result<std::optional<MessageView>> next();

  /// True between messages, where a body may end.
  bool at_boundary() const { return partial_.empty(); }
  /// Bytes of the message that is still incomplete.
  std::size_t unfinished() const { return partial_.size(); }
  /// For messages that begin from now on.
  void set_limit(std::size_t max_message) { max_message_ = max_message; }

 private:
  Result<std::optional<MessageView>> complete(std::span<const std::byte> framed);

  std::size_t max_message_;
  std::span<const std::byte> input_;
  std::string partial_;  // prefix and what is there of the message
  std::string message_;  // what the last next() gave out, when it is not in the input
};

/// Inflates gzip (RFC 1952) to at most `limit` bytes.
Result<std::string> gunzip(std::span<const std::byte> data, std::size_t limit);

}  // namespace towline::grpc
