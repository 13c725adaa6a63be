#pragma once

#include <memory>
#include <string>

#include <git2.h>

#include "base/status.h"

namespace towline::control::git {

/// Owners of libgit2's objects. Only for the sources of git/.
template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using RepositoryHandle = std::unique_ptr<git_repository, Freer<git_repository_free>>;
using CommitHandle = std::unique_ptr<git_commit, Freer<git_commit_free>>;
using TreeHandle = std::unique_ptr<git_tree, Freer<git_tree_free>>;
using TreeEntryHandle = std::unique_ptr<git_tree_entry, Freer<git_tree_entry_free>>;
using BlobHandle = std::unique_ptr<git_blob, Freer<git_blob_free>>;
using ObjectHandle = std::unique_ptr<git_object, Freer<git_object_free>>;
using ReferenceHandle = std::unique_ptr<git_reference, Freer<git_reference_free>>;
using RevwalkHandle = std::unique_ptr<git_revwalk, Freer<git_revwalk_free>>;
using TreeBuilderHandle = std::unique_ptr<git_treebuilder, Freer<git_treebuilder_free>>;
using SignatureHandle = std::unique_ptr<git_signature, Freer<git_signature_free>>;
using IteratorHandle = std::unique_ptr<git_reference_iterator, Freer<git_reference_iterator_free>>;

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
/// process. Neither the machine's nor the user's configuration has a say, and objects are on disk before a
/// reference names them.
void start_library();

/// The Status of a libgit2 call that failed with `error` while doing `what`.
Status git_status(int error, const std::string& what);

}  // namespace towline::control::git
