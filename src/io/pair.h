#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "io/stream.h"

namespace towline::io {

class Loop;

/// Two connected in-memory streams, for tests: what one writes the other reads. Each direction holds at most
/// `capacity` bytes. Destroying one end gives the other kEof, or kError when bytes were unread.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> stream_pair(Loop& loop,
                                                                        std::size_t capacity = 64 * 1024);

}  // namespace towline::io
