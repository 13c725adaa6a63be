#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "grpc/call.h"
#include "http/exchange.h"

namespace towline::grpc {

/// Turns HTTP requests into calls and hands them to the handler of their method. Serves any number of
/// connections and loops; register all methods before the first request.
class Server final : public http::RequestHandler {
 public:
  /// `method`: "/package.Service/Method".
  void add(std::string method, CallHandler handler);
  /// Gets the calls to methods that were not added; without it they are answered UNIMPLEMENTED.
  void set_fallback(CallHandler handler) { fallback_ = std::move(handler); }

  /// Answers what is not a gRPC request with 415.
  void on_request(http::RequestHead head, bool has_body,
                  std::unique_ptr<http::ServerExchange> exchange) override;
  /// Whether a request is for a gRPC server.
  static bool is_grpc(const http::RequestHead& head);

  /// The handler of `method`, or null; for calls that arrive otherwise, through a tunnel.
  const CallHandler* find(std::string_view method) const;
  std::size_t size() const { return methods_.size(); }
  const std::map<std::string, CallHandler, std::less<>>& methods() const { return methods_; }

 private:
  std::map<std::string, CallHandler, std::less<>> methods_;
  CallHandler fallback_;
};

/// A handler for a unary method: `serve` gets the request message and the call's metadata, and answers with a
/// message or an error through `reply`, now or later, on the call's loop.
using UnaryReply = std::move_only_function<void(Result<std::string>)>;
CallHandler unary(
    std::function<void(std::string request, const Metadata& metadata, io::Loop& loop, UnaryReply reply)>
        serve);

}  // namespace towline::grpc
