#pragma once

#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/status.h"

namespace towline::control::git_http {

/// Limit: bytes of private memory of each of Git's processes; it fails, and with it what it was to do.
inline constexpr std::size_t kMaxChildMemory = std::size_t{1} << 30;

/// A child process in a group of its own, with our ends of its standard streams, all non-blocking. It
/// inherits no other descriptor, no signal setting, and only the environment that it is given. Destroying it
/// kills the whole group and waits for its leader, which then ends at once.
class Child {
 public:
  /// Searches the first of `arguments` in PATH. May take some milliseconds.
  /// `linked`: with a socket as descriptor kHookDescriptor, whose other end is `link`.
  static Result<Child> spawn(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment, bool linked = false);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  /// A socket: what is sent is the child's input.
  Descriptor input;
  Descriptor output;
  Descriptor errors;
  Descriptor link;
  /// Readable when the child has ended.
  Descriptor ended;

  /// Asks the whole group to end, or with `force` ends it.
  void kill(bool force);
  /// After `ended`: the exit status, or 128 and the signal that killed it.
  int reap();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

}  // namespace towline::control::git_http
