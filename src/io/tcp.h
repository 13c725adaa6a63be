#pragma once

#include <memory>

#include "io/stream.h"

namespace towline::io {

class Loop;

/// A stream over a connected stream socket, which it takes, makes non-blocking and sets up: TCP_NODELAY, and
/// keep-alive so that a peer which vanished breaks even an idle stream.
std::unique_ptr<Stream> adopt(Loop& loop, int fd);

}  // namespace towline::io
