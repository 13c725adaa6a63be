#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <string>
#include <vector>

namespace towline {

/// Addresses of code, the innermost function first.
using Stack = std::vector<std::uintptr_t>;

/// Shows what another thread of this process does, by a signal that has the thread walk its own stack. The
/// signal is a real-time one that the program uses for nothing else; the threads that are asked have not
/// blocked it.
class StackReader {
 public:
  /// Takes the signal for this process, for good.
  StackReader();

  /// The stack of `thread`, which lives. Empty when it does not answer within `limit`: it waits in the kernel
  /// for a disk, say. A system call in which it waits may end with EINTR.
  Stack read(pthread_t thread, std::chrono::milliseconds limit);
};

/// "towline::io::Loop::run() (kas+0x12ab) <- main (kas+0x34cd)": functions where the file of the module has
/// names, and places in the modules always.
std::string to_text(const Stack& stack);

}  // namespace towline
