#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/git/handles.h"

namespace towline::control::git {

struct Leaf {
  git_oid id;
  git_filemode_t mode;
};

/// What becomes of paths; nothing means deleted.
using Edits = std::map<std::string, std::optional<Leaf>>;

/// Writes `base` (may be null) with the edits applied, and gives the new tree. Folders appear with their
/// first file and vanish with their last. A file and a folder of one name: INVALID_ARGUMENT.
Result<git_oid> edit_tree(git_repository* repository, const git_tree* base, const Edits& edits);

}  // namespace towline::control::git
