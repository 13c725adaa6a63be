#pragma once

#include <algorithm>
#include <string_view>

#include "base/interrupt.h"
#include "control/git/handles.h"
#include "control/git/repository.h"

namespace towline::control::git {

/// Limit: bytes of a commit or an annotated tag; a larger one is refused, before it is inflated.
constexpr std::size_t kMaxCommit = 1024 * 1024;
/// Limit: bytes of a tree, which is one folder; a larger one is refused, before it is inflated.
constexpr std::size_t kMaxTree = 8 * 1024 * 1024;

inline git_oid to_oid(const ObjectId& id) {
  git_oid oid;
  std::copy(id.bytes.begin(), id.bytes.end(), oid.id);
  return oid;
}
inline ObjectId from_oid(const git_oid& oid) {
  ObjectId id;
  std::copy(oid.id, oid.id + id.bytes.size(), id.bytes.begin());
  return id;
}

/// What a walk may read, counted down by what it reads.
struct Budget {
  std::size_t objects;
  std::size_t bytes;

  /// False when nothing is left for it.
  bool take(std::size_t size) {
    if (objects == 0 || bytes < size) return false;
    --objects;
    bytes -= size;
    return true;
  }
  /// For what it took besides.
  void spend(std::size_t size) { bytes -= std::min(bytes, size); }
};

/// The reads of all sources here. Each asks whether it is still wanted, and looks at an object's kind and
/// size before it inflates the object: RESOURCE_EXHAUSTED over the limit, and when the budget is spent.
struct Repository::Impl {
  RepositoryHandle handle;
  OdbHandle odb;
  InterruptPtr interrupt;

  Status check() const { return interrupt ? interrupt->check() : Status(); }

  /// OK when the object is one of `type` and at most `limit` bytes. `what` names it for people.
  Status admit(const git_oid& id, git_object_t type, std::size_t limit, const char* what,
               Budget* budget = nullptr) const;
  Result<CommitHandle> commit(const git_oid& id, Budget* budget = nullptr) const;
  Result<TreeHandle> tree(const git_oid& id, Budget* budget = nullptr) const;
  Result<TreeHandle> tree_of(git_commit* commit, Budget* budget = nullptr) const;
  /// The commit that an object is, or that the annotated tag which it is stands for in the end.
  Result<git_oid> peel(git_oid id) const;
  /// The entry at a path below a tree. NOT_FOUND; INVALID_ARGUMENT for what check_path refuses.
  Result<TreeEntryHandle> entry_at(const git_tree* root, std::string_view path,
                                   Budget* budget = nullptr) const;
  /// The same for the tree at the path; `root` itself for an empty one.
  Result<TreeHandle> folder_at(const git_oid& commit, const std::string& path,
                               Budget* budget = nullptr) const;
};

/// What a reference names, through others.
std::optional<git_oid> target_of(git_repository* repository, const std::string& reference);

/// INVALID_ARGUMENT for a path that nothing is looked up by: too long, too deep, or with a zero byte.
Status check_path(std::string_view path);
/// A text by somebody else, as a message may quote it.
std::string shown(std::string_view text);
/// Whether a text may be looked up as a reference: libgit2 would stop at a zero byte.
bool may_be_reference(std::string_view name);

Commit describe(git_commit* commit, Detail detail);

}  // namespace towline::control::git
