#include "base/files.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace towline {

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::kNotFound, "cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status(errno, "cannot write " + path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0 ? Status() : errno_status(errno, "cannot write " + path);
}

Status replace_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string temporary = path + ".new";
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file.open()) return errno_status(errno, "cannot write " + temporary);
  if (Status status = write_all(file.get(), text, temporary); !status.ok()) return status;
  file.close();
  if (::rename(temporary.c_str(), path.c_str()) != 0) return errno_status(errno, "cannot write " + path);
  return {};
}

}  // namespace towline
