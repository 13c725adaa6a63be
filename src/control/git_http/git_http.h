#pragma once

#include <memory>

#include "control/domain/core.h"
#include "http/exchange.h"

namespace towline::io {
class FairPool;
}

namespace towline::control::git_http {

/// Serves clone, fetch and push at /<full/path>.git by `git http-backend`. A push moves references
/// by the same gate as the API, and raises its events before its response ends. `pool` and `core` must
/// outlive the handler, the loops must be stopped before it is destroyed.
std::unique_ptr<http::RequestHandler> make_handler(Core& core, io::FairPool& pool);

}  // namespace towline::control::git_http
