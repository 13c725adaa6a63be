#pragma once

#include <set>
#include <string>

#include "base/interrupt.h"
#include "base/status.h"
#include "control/domain/core.h"
#include "control/git/repository.h"

namespace towline::control {

/// What is in the repositories of projects, and what follows when it changes. Blocks. Safe from any thread.
class Contents {
 public:
  explicit Contents(Core& core) : core_(core) {}

  Result<git::Repository> open(const Project& project, InterruptPtr interrupt = nullptr) const;
  /// Commits and tells the world; see git::Repository::apply.
  Result<git::Commit> commit(const Project& project, const git::CommitRequest& request);
  /// The same for somebody with this role: PERMISSION_DENIED when the branch is protected from it.
  Result<git::Commit> commit_as(Role role, const Project& project, const git::CommitRequest& request);

  /// To be called when the references of a repository may have moved, with what they were before. Gives the
  /// names of those that have.
  std::set<std::string> references_changed(const Project& project, const git::References& before);

 private:
  Core& core_;
};

}  // namespace towline::control
