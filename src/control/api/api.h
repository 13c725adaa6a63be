#pragma once

#include <optional>

#include "control/api/guard.h"
#include "control/api/router.h"
#include "control/domain/core.h"
#include "http/simple.h"

namespace towline::control::api {

/// The REST API: finds the route, the caller and his rights, and runs the handler. Safe from any thread.
class Api {
 public:
  explicit Api(Core& core) : core_(core), guard_(core) {}

  /// Answers a request whose target begins with /api/v4. Blocks, except for what the answer may wait for
  /// later; that refers to `request`. `visitor` is what the guard has found out at its head.
  http::Reply answer(const http::Request& request, const http::Visitor* visitor = nullptr);

  /// The answer to one whom the guard does not let in, for the reason it gives.
  http::Response refuse_caller(const http::Request& request, const Status& reason);
  /// Whether a request brings a password: that is hashed.
  static bool asks_password(const http::RequestHead& head);

  /// For others that answer below /api.
  Guard& guard() { return guard_; }

 private:
  std::optional<http::Response> forbid(const http::Request& request, const Route& route,
                                       const Guard::Known& known);
  http::Reply run(Context& context, const Route& route);
  http::Response run(Context& context, const Route& route, Handler handler);
  http::Reply run(Context& context, const Route& route, SlowHandler handler);
  http::Response conclude(const http::Request& request, const Route& route,
                          const std::optional<Caller>& caller, Result<http::Response> response);
  http::Response too_many(int seconds);

  Core& core_;
  Guard guard_;
};

}  // namespace towline::control::api
