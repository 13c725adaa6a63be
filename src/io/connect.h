#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "io/dial.h"

namespace towline::io {

/// Connects to one address, without a deadline of its own. Calls back on `loop`, never from inside. Errors:
/// "connect 127.0.0.1:1: Connection refused".
std::unique_ptr<Operation> tcp_connect(Loop& loop, const ResolvedAddress& address, StreamCallback callback);

/// What the next of `count` addresses gets of the time that is left: an equal share, but never less than a
/// slow one needs that works.
std::chrono::milliseconds time_for_next(std::chrono::nanoseconds left, std::size_t count);

}  // namespace towline::io
