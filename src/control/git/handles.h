#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <git2.h>

#include "base/handle.h"
#include "base/status.h"

namespace towline::control::git {

/// Owners of libgit2's objects. Only for the sources of git/.
using RepositoryHandle = Handle<git_repository, git_repository_free>;
using OdbHandle = Handle<git_odb, git_odb_free>;
using CommitHandle = Handle<git_commit, git_commit_free>;
using TreeHandle = Handle<git_tree, git_tree_free>;
using TreeEntryHandle = Handle<git_tree_entry, git_tree_entry_free>;
using BlobHandle = Handle<git_blob, git_blob_free>;
using TagHandle = Handle<git_tag, git_tag_free>;
using ReferenceHandle = Handle<git_reference, git_reference_free>;
using TreeBuilderHandle = Handle<git_treebuilder, git_treebuilder_free>;
using SignatureHandle = Handle<git_signature, git_signature_free>;
using IteratorHandle = Handle<git_reference_iterator, git_reference_iterator_free>;

/// The address to hand to a libgit2 function that makes an object: `git_x_lookup(out(handle), ...)`. The
/// handle has the object when the whole expression is done, not before.
template <typename Handle>
class Out {
 public:
  explicit Out(Handle& handle) : handle_(handle) {}
  ~Out() { handle_.reset(raw_); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  operator typename Handle::pointer *() { return &raw_; }  // NOLINT: that is its purpose

 private:
  Handle& handle_;
  typename Handle::pointer raw_ = nullptr;
};
template <typename Handle>
Out<Handle> out(Handle& handle) {
  return Out<Handle>(handle);
}

inline std::string to_text(const git_oid& id) {
  std::string text(GIT_OID_HEXSZ, '0');
  git_oid_fmt(text.data(), &id);
  return text;
}

/// To be called before anything else of libgit2, which counts its users; one stays for the life of the
/// process. Neither the machine's nor the user's configuration has a say, objects are on disk before a
/// reference names them, and no single thing that is read takes much memory.
void start_library();

/// Bounds what libgit2 allocates on this thread as long as it lives, in sum: an object may be stored as a
/// difference to an object that is stored as a difference, and so on, and each is made anew to read one.
class Allowance {
 public:
  Allowance();
  ~Allowance();
  Allowance(const Allowance&) = delete;
  Allowance& operator=(const Allowance&) = delete;
  std::size_t used() const;

 private:
  std::size_t before_;
};

/// The Status of a libgit2 call that failed with `error` while doing `what`.
Status git_status(int error, const std::string& what);

}  // namespace towline::control::git
