#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "http/server.h"
#include "io/loop.h"
#include "io/stream.h"

namespace towline::http {

/// Makes the connection that serves `stream` once its protocol is known.
using MakeConnection = std::move_only_function<std::unique_ptr<ServerConnection>(
    std::unique_ptr<io::Stream> stream, std::move_only_function<void()> on_closed)>;

/// Looks at the first bytes of `stream` and leaves them in it: the HTTP/2 preface goes to `http2`, all else
/// to `http1`, as soon as it differs. A peer that shows too little within `timeout` is closed. `on_closed` as
/// for serve().
std::unique_ptr<ServerConnection> sniff(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                        MakeConnection http1, MakeConnection http2,
                                        std::chrono::milliseconds timeout,
                                        std::move_only_function<void()> on_closed);

}  // namespace towline::http
