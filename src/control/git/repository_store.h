#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/status.h"
#include "control/git/repository.h"
#include "control/git/storage_meter.h"
#include "control/repository_limits.h"

namespace towline::control::git {

/// The bare repositories of all projects, below one folder. Their names are made from project numbers only,
/// so that no user's text ever becomes a file name and renaming a project moves nothing. Safe from any
/// thread.
class RepositoryStore {
 public:
  explicit RepositoryStore(std::string root, RepositoryLimits limits_in = {})
      : limits(limits_in), meter(std::move(root)) {}

  const std::string& root() const { return meter.root(); }
  /// "@hashed/6b/86/6b86b2....git", relative to root().
  static std::string relative_path(std::int64_t project_id);

  Result<Repository> create(std::int64_t project_id, const std::string& default_branch) const;
  Result<Repository> open(std::int64_t project_id, InterruptPtr interrupt = nullptr) const;
  /// Removes the repository; fine when there is none.
  Status remove(std::int64_t project_id) const;

  /// Held while references of a project change, so that commits and pushes queue instead of racing.
  std::unique_lock<std::mutex> committing(std::int64_t project_id);

  RepositoryLimits limits;
  /// What they take.
  StorageMeter meter;

 private:
  std::array<std::mutex, 64> mutexes_;
};

}  // namespace towline::control::git
