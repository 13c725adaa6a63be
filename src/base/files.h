#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

#include "base/status.h"

namespace towline {

/// An open file descriptor with one owner; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void close();

 private:
  int fd_;
};

/// Limit: bytes of a file that a flag or a configuration names (a token, a certificate, a kubeconfig); it is
/// refused by name. None comes near this: more is a mistake in a path.
inline constexpr std::size_t kMaxFileSize = 1024 * 1024;

/// Whether a pipe may stand in a file's place, as a shell's <(command) does; it is waited for, for seconds.
enum class Pipes { kRefused, kRead };

/// A whole small file that a person has named. Refuses folders, devices and what is larger than `limit`, by
/// "<path>: what it is". The text is in one piece of memory, so that no copies of secrets stay behind.
Result<std::string> read_file(const std::string& path, std::size_t limit = kMaxFileSize,
                              Pipes pipes = Pipes::kRefused);

/// What a file of one secret holds, without white space around it. UNAUTHENTICATED for nothing, and
/// INVALID_ARGUMENT for a line break within or another control character, which no header can carry. The
/// message, "is empty", is to stand behind the file's name.
Result<std::string> one_secret(std::string_view text);

/// Writes all of `text` and syncs it to the disk. The error names `path`.
Status write_all(int fd, std::string_view text, const std::string& path);

/// Replaces a file in one step, so that a crash leaves the old one or the new one. `mode` is the new file's,
/// less the umask.
Status replace_file(const std::string& path, std::string_view text, mode_t mode);

}  // namespace towline
