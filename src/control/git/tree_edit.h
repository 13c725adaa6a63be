#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/git/repository_impl.h"

namespace towline::control::git {

struct Leaf {
  git_oid id;
  git_filemode_t mode;
};

/// What becomes of paths that check_file_path lets pass; nothing means deleted.
using Edits = std::map<std::string, std::optional<Leaf>>;

/// Writes `base` (may be null) with the edits applied, and gives the new tree. Folders appear with their
/// first file and vanish with their last. A file and a folder of one name: INVALID_ARGUMENT.
Result<git_oid> edit_tree(const Repository::Impl& impl, const git_tree* base, const Edits& edits);

}  // namespace towline::control::git
