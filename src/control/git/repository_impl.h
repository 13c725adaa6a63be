#pragma once

#include "control/git/handles.h"
#include "control/git/repository.h"

namespace towline::control::git {

struct Repository::Impl {
  RepositoryHandle handle;

  Result<CommitHandle> find_commit(const std::string& revision) const;
  Result<TreeHandle> tree_of(git_commit* commit) const;
  static Commit describe(git_commit* commit);
};

}  // namespace towline::control::git
