#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/secret.h"
#include "base/status.h"

namespace towline::kube {

/// Reads a whole file of at most `limit` bytes, as base/files.h has it; pipes are fine.
Result<Secret> read_file(const std::string& path, std::size_t limit = kMaxFileSize);

/// Bytes that a configuration gives: written in it, or in a file that may change, or nowhere. One owner; not
/// safe from several threads at once.
class Material {
 public:
  /// The same object as long as the bytes are the same; null where nothing is configured.
  using Bytes = std::shared_ptr<const Secret>;

  Material() = default;
  static Material inline_bytes(Secret bytes);
  static Material file(std::string path);

  bool given() const { return bytes_ != nullptr || !path_.empty(); }

  /// The bytes as they are now. A file is looked at (stat) with each call, and read when its inode, size or
  /// time of change differ from what was read; Kubernetes rotates by renaming, which gives a new inode.
  Result<Bytes> read();

 private:
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_seconds = 0;
    std::int64_t changed_nanoseconds = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static std::optional<Stamp> stamp_of(const std::string& path);

  std::string path_;
  std::optional<Stamp> stamp_;
  Bytes bytes_;
};

}  // namespace towline::kube
