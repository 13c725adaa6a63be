#pragma once

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

/// The whole file. NOT_FOUND when it cannot be read; the error names the path.
Result<std::string> read_file(const std::string& path);

/// Writes all of `text` and syncs it to the disk. The error names `path`.
Status write_all(int fd, std::string_view text, const std::string& path);

/// Replaces a file in one step, so that a crash leaves the old one or the new one. `mode` is the new file's,
/// less the umask.
Status replace_file(const std::string& path, std::string_view text, mode_t mode);

}  // namespace towline
