#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"

namespace towline::control::git {

/// How much repositories take. A folder is measured when it is asked for the first time, and again with
/// remeasure(); between that what is known to be added is counted on top. Safe from any thread.
class StorageMeter {
 public:
  explicit StorageMeter(std::string root) : root_(std::move(root)) {}
  const std::string& root() const { return root_; }

  /// Bytes of the repositories of an owner; `projects` is asked whose they are, now and then.
  using Projects = std::function<Result<std::vector<std::int64_t>>()>;
  Result<std::uint64_t> total(std::int64_t owner, const Projects& projects);
  void grew(std::int64_t owner, std::int64_t project_id, std::uint64_t bytes);
  /// A repository may have shrunk, and its owner's total with it.
  void remeasure(std::int64_t owner, std::int64_t project_id);

  /// UNAVAILABLE while the file system has so little room that what must be written, above all that a right
  /// is revoked, might fail.
  Status check_room() const;

  /// Bytes of all files below a folder; 0 for none.
  static std::uint64_t measure(const std::string& folder);

 private:
  struct Total {
    std::uint64_t bytes = 0;
    std::chrono::steady_clock::time_point counted;
  };

  std::uint64_t size(std::int64_t project_id);

  const std::string root_;
  std::mutex mutex_;
  std::map<std::int64_t, std::uint64_t> sizes_;
  std::map<std::int64_t, Total> totals_;
};

}  // namespace towline::control::git
