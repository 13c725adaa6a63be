#pragma once

#include <memory>

#include "control/domain/core.h"
#include "http/exchange.h"

namespace towline::io {
class FairPool;
}

namespace towline::control::git_http {

/// Children at once, for all clients together: each is a process or two with its memory. Beyond it git is
/// told to try again.
inline constexpr std::size_t kMaxChildren = 32;

/// Serves clone, fetch and push at /<full/path>.git by `git http-backend`. A push that moved references
/// raises the events before its response ends. `pool` and `core` must outlive the handler, the loops must be
/// stopped before it is destroyed.
std::unique_ptr<http::RequestHandler> make_handler(Core& core, io::FairPool& pool);

}  // namespace towline::control::git_http
