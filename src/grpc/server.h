#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "grpc/budget.h"
#include "grpc/call.h"
#include "grpc/frame.h"
#include "http/exchange.h"

namespace towline::grpc {

/// What a method takes.
struct MethodOptions {
  /// The largest message, until ServerCall::set_message_limit says otherwise. Over it: RESOURCE_EXHAUSTED, as
  /// soon as its length has come.
  std::size_t max_message = kMaxMessage;
  /// Whether its handler finds out who calls and then says so by ServerCall::caller_is_known. Before that
  /// the bytes and the number of such calls are those of a stranger (budget.h).
  bool guarded = false;
};

/// Turns HTTP requests into calls and hands them to the handler of their method. Serves any number of
/// connections and loops; register all methods before the first request.
class Server final : public http::RequestHandler {
 public:
  /// `method`: "/package.Service/Method".
  void add(std::string method, CallHandler handler, MethodOptions options = {});
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
  struct Method {
    CallHandler handler;
    MethodOptions options;
  };
  const std::map<std::string, Method, std::less<>>& methods() const { return methods_; }
  /// Bytes of unfinished messages that calls hold.
  std::size_t unfinished_bytes() const { return budget_->held(); }

 private:
  std::map<std::string, Method, std::less<>> methods_;
  CallHandler fallback_;
  std::shared_ptr<ServerBudget> budget_ = std::make_shared<ServerBudget>();
};

/// A handler for a unary method: `serve` gets the request message and the call's metadata, and answers with a
/// message or an error through `reply`, now or later, on the call's loop.
using UnaryReply = std::move_only_function<void(Result<std::string>)>;
CallHandler unary(
    std::function<void(std::string request, const Metadata& metadata, io::Loop& loop, UnaryReply reply)>
        serve);

}  // namespace towline::grpc
