#pragma once

#include <string_view>

#include "control/api/guard.h"
#include "control/domain/core.h"
#include "http/simple.h"

namespace towline::control::graphql {

/// Answers /api/graphql. Blocks; safe from any thread.
class Endpoint {
 public:
  static constexpr std::string_view kPath = "/api/graphql";

  /// `guard` is the REST API's, so that wrong tokens are counted together.
  Endpoint(Core& core, api::Guard& guard) : core_(core), guard_(guard) {}

  /// 200 when something was executed, whatever came of it; else 4xx and nothing has happened. All answers
  /// have "errors" where there is something to tell.
  /// `visitor` is what the guard has found out at the head.
  http::Response answer(const http::Request& request, const http::Visitor* visitor = nullptr);
  /// The answer to one whom the guard does not let in, for the reason it gives.
  http::Response refuse_caller(const http::Request& request, const Status& reason);

 private:
  http::Response decide(const http::Request& request, const http::Visitor* visitor);
  http::Response run(const http::Request& request, const api::Guard::Known& known);

  Core& core_;
  api::Guard& guard_;
};

}  // namespace towline::control::graphql
