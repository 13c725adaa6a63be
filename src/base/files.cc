#include "base/files.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

namespace towline {
namespace {

/// Limit: time in which nothing comes out of a pipe that stands in a file's place; it is refused by name.
constexpr std::chrono::milliseconds kPipeTime{5000};

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  return S_ISSOCK(mode) ? "a socket" : "a device";
}

Status too_large(const std::string& path, std::size_t limit) {
  return {Code::kInvalidArgument, path + ": larger than " + std::to_string(limit) + " bytes"};
}

// False when none writes in time; errno is EAGAIN then.
bool wait_for_writer(int pipe) {
  pollfd ready{pipe, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(kPipeTime.count())) > 0) return true;
  errno = EAGAIN;
  return false;
}

}  // namespace

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<std::string> read_file(const std::string& path, std::size_t limit, Pipes pipes) {
  // Not waiting here: a pipe without a writer would keep the program for ever.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.open()) return fail(errno_status(errno, path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail(errno_status(errno, path));
  const bool pipe = S_ISFIFO(info.st_mode) && pipes == Pipes::kRead;
  if (!S_ISREG(info.st_mode) && !pipe) {
    return fail(Code::kInvalidArgument,
                path + ": is " + kind_of(info.st_mode) + ", where a file is expected");
  }
  if (!pipe && static_cast<std::size_t>(info.st_size) > limit) return fail(too_large(path, limit));
  // One byte more than allowed tells a file that is too long, and one more than expected the end.
  std::string text(pipe ? limit + 1 : static_cast<std::size_t>(info.st_size) + 1, '\0');
  std::size_t filled = 0;
  while (true) {
    const ssize_t n = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_writer(file.get())))) continue;
    if (n < 0) return fail(errno_status(errno == EAGAIN ? ETIMEDOUT : errno, path));
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
    if (filled > limit) return fail(too_large(path, limit));
    if (filled == text.size()) text.resize(limit + 1);  // it grew while it was read, or is of /proc
  }
  text.resize(filled);
  return text;
}

Result<std::string> one_secret(std::string_view text) {
  const std::string_view secret = trim(text, kSpace);
  if (secret.empty()) return fail(Code::kUnauthenticated, "is empty");
  const auto unwanted = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(secret.begin(), secret.end(), unwanted))
    return fail(Code::kInvalidArgument, "holds a line break or another control character");
  return std::string(secret);
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
