#pragma once

#include "control/api/throttle.h"
#include "control/domain/core.h"
#include "http/simple.h"

namespace towline::control::api {

/// The REST API: finds the route, the caller and his rights, and runs the handler. Blocks; safe from any
/// thread.
class Api {
 public:
  /// Larger bodies are refused with 413 before they get here.
  static constexpr std::size_t kMaxBody = 10 * 1024 * 1024;

  explicit Api(Core& core) : core_(core), throttle_(core.clock, {}) {}

  /// Answers a request whose target begins with /api/v4.
  http::Response answer(const http::Request& request);

 private:
  http::Response refuse_credentials(const http::Request& request);

  Core& core_;
  Throttle throttle_;
};

}  // namespace towline::control::api
