#include "kube/files.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/files.h"

namespace towline::kube {

Result<Secret> read_file(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return fail(errno_status(errno, path));
  // One byte more than allowed tells a file that is too long. Reserving it all at once leaves no copies of
  // secrets behind that a growing string would.
  struct stat info {};
  const bool sized = ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0;
  if (sized && static_cast<std::size_t>(info.st_size) > limit) {
    return fail(Code::kInvalidArgument, path + ": larger than " + std::to_string(limit) + " bytes");
  }
  std::string text(sized ? static_cast<std::size_t>(info.st_size) + 1 : limit + 1, '\0');
  std::size_t filled = 0;
  while (true) {
    const ssize_t n = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_status(errno, path));
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
    if (filled > limit) {
      return fail(Code::kInvalidArgument, path + ": larger than " + std::to_string(limit) + " bytes");
    }
    if (filled == text.size()) text.resize(limit + 1);  // it grew while it was read
  }
  text.resize(filled);
  return Secret(std::move(text));
}

Material Material::inline_bytes(Secret bytes) {
  Material material;
  material.bytes_ = std::make_shared<const Secret>(std::move(bytes));
  return material;
}

Material Material::file(std::string path) {
  Material material;
  material.path_ = std::move(path);
  return material;
}

std::optional<Material::Stamp> Material::stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return Stamp{info.st_dev, info.st_ino, info.st_size, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

Result<Material::Bytes> Material::read() {
  if (path_.empty()) return bytes_;
  const std::optional<Stamp> stamp = stamp_of(path_);
  if (bytes_ != nullptr && stamp && stamp == stamp_) return bytes_;
  Result<Secret> text = read_file(path_);
  if (!text) return fail(text.error());
  // The stamp is older than the text, so that a change in between is found by the next call.
  stamp_ = stamp;
  if (bytes_ == nullptr || !bytes_->equals(text->reveal())) {
    bytes_ = std::make_shared<const Secret>(std::move(*text));
  }
  return bytes_;
}

}  // namespace towline::kube
