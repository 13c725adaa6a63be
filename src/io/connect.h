#pragma once

#include <memory>

#include "io/dial.h"

namespace towline::io {

/// Connects to one address, without a deadline of its own. Calls back on `loop`, never from inside. Errors:
/// "connect 127.0.0.1:1: Connection refused".
std::unique_ptr<Operation> tcp_connect(Loop& loop, const ResolvedAddress& address, StreamCallback callback);

}  // namespace towline::io
