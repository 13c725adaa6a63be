#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "grpc/call.h"
#include "grpc/frame.h"

namespace towline::io {
class Loop;
}
namespace towline::http {
class ClientConnection;
}

namespace towline::grpc {

/// Starts a unary call where `open` starts one, which is called once, from inside, with the handler of the
/// call: `done` gets the response message or the error, unless the returned call is destroyed first. When
/// `open` gives no call, null is returned and `done` is not called. An answer of more than `max_reply` bytes,
/// or of more than one message, is an error.
using OpenCall = std::function<std::unique_ptr<ClientCall>(ClientCallHandler* handler)>;
std::unique_ptr<ClientCall> unary_call(const OpenCall& open, std::string_view request,
                                       std::move_only_function<void(Result<std::string>)> done,
                                       std::size_t max_reply = kMaxMessage);

/// What all calls of one connection share.
struct ChannelOptions {
  std::string authority;   // ":authority", the server's name
  std::string user_agent;  // "gitlab-agent/v0.1.0/abc"
  Metadata metadata;       // added to each call: authorization, extra headers
};

/// Starts calls on an HTTP/2 connection. Lives as long as its calls' connection; both are the owner's.
class Channel {
 public:
  Channel(io::Loop& loop, http::ClientConnection& connection, ChannelOptions options);

  /// Starts a call; `timeout` is sent to the server and kept here too. Null when the connection takes no more
  /// calls.
  std::unique_ptr<ClientCall> call(const std::string& method, const Metadata& metadata,
                                   ClientCallHandler* handler,
                                   std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

  /// A unary call, as unary_call; null when the connection takes no more calls.
  std::unique_ptr<ClientCall> unary(const std::string& method, std::string_view request,
                                    std::chrono::nanoseconds timeout,
                                    std::move_only_function<void(Result<std::string>)> done);

 private:
  io::Loop& loop_;
  http::ClientConnection& connection_;
  ChannelOptions options_;
};

}  // namespace towline::grpc
