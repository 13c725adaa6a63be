#include "kube/files.h"

#include <sys/stat.h>
#include <utility>

namespace towline::kube {

Result<Secret> read_file(const std::string& path, std::size_t limit) {
  Result<std::string> text = towline::read_file(path, limit, Pipes::kRead);
  if (!text) return fail(std::move(text.error()));
  return Secret(std::move(*text));
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
