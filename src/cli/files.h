#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/files.h"
#include "base/status.h"

namespace towline::cli {

/// The whole file, or nothing where there is none. The error names the path.
Result<std::optional<std::string>> read_if_exists(const std::filesystem::path& path);
/// The same, but a missing file is an error.
Result<std::string> read_file(const std::filesystem::path& path);

/// Makes the folder and those above it that are missing, readable by the owner only.
Status make_private_folder(const std::filesystem::path& folder);

/// Replaces the file by `text` in one step: readers see the old or the new whole. A symbolic link stays and
/// its target is replaced. `mode` is the new file's; folders that are missing are made.
Status write_atomically(const std::filesystem::path& path, std::string_view text, mode_t mode = 0600);

/// Holds an exclusive lock on a file (made when missing) until it is destroyed; waits for another holder.
class FileLock {
 public:
  static Result<FileLock> wait(const std::filesystem::path& path);

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

}  // namespace towline::cli
