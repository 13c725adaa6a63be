#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace towline::control::git {

/// Who wrote or committed something, and when (milliseconds since 1970).
struct Signature {
  std::string name;
  std::string email;
  std::int64_t time = 0;
};

struct Commit {
  std::string id;  // 40 hexadecimal digits
  std::vector<std::string> parents;
  std::string message;
  Signature author;
  Signature committer;

  std::string title() const { return message.substr(0, message.find('\n')); }
};

struct File {
  std::string blob_id;
  std::string content;
  bool executable = false;
};

struct TreeEntry {
  std::string id;
  std::string name;
  std::string path;
  std::string type;  // "blob", "tree" or "commit" (a submodule)
  std::string mode;  // "100644"
};

struct Branch {
  std::string name;
  std::string commit_id;
};

/// One change of a commit. `content` is what the file holds afterwards.
struct Change {
  enum class Kind { kCreate, kUpdate, kDelete, kMove };
  Kind kind = Kind::kCreate;
  std::string path;
  std::string previous_path;           // kMove
  std::optional<std::string> content;  // kMove: absent keeps the old one
  std::string last_commit_id;          // when not empty: the file must not have changed after this commit
};

struct CommitRequest {
  std::string branch;
  std::string start_branch;  // when not empty and `branch` is new: where it begins
  std::string message;
  Signature author;
  Signature committer;
  std::vector<Change> changes;
};

/// All references, "refs/heads/main" to its object.
using References = std::map<std::string, std::string>;

/// An open bare repository. Cheap to open; belongs to one thread at a time; several objects may be open on
/// the same repository at once, in this process and in others (git itself). Blocks.
///
/// Errors: NOT_FOUND for a revision, path or branch that does not exist; INVALID_ARGUMENT for a change that
/// cannot be applied, with a message for its author; ABORTED when others kept changing the branch.
class Repository {
 public:
  static Result<Repository> open(const std::string& folder);
  /// Makes an empty bare repository whose HEAD names `default_branch`.
  static Result<Repository> create(const std::string& folder, const std::string& default_branch);

  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  /// The commit that a branch, tag, "HEAD", full reference or (abbreviated) id names.
  Result<std::string> resolve(const std::string& revision) const;
  Result<std::optional<std::string>> branch_head(const std::string& branch) const;
  Result<Commit> commit(const std::string& revision) const;
  /// Newest first, from `revision`; when `path` is not empty, those that changed it. At most `limit` after
  /// `skip`; `total` counts all of them, up to a bound beyond which counting stops.
  struct Log {
    std::vector<Commit> commits;
    std::int64_t total = 0;
  };
  Result<Log> log(const std::string& revision, const std::string& path, std::size_t skip,
                  std::size_t limit) const;

  /// A file of the tree of a revision; larger than `max_size`: RESOURCE_EXHAUSTED.
  Result<File> file(const std::string& revision, const std::string& path, std::size_t max_size) const;
  /// The newest commit, from `revision` back, that changed the path.
  Result<std::string> last_commit_of(const std::string& revision, const std::string& path) const;
  /// Entries of a folder ("" for the root) in Git's order; `recursive` goes into its folders.
  Result<std::vector<TreeEntry>> tree(const std::string& revision, const std::string& path,
                                      bool recursive) const;

  Result<std::vector<Branch>> branches() const;
  Result<References> references() const;

  /// Commits on the tip of a branch: nothing that others commit or push meanwhile is lost. A branch that does
  /// not exist begins at start_branch, or empty in an empty repository.
  Result<Commit> apply(const CommitRequest& request);
  /// NOT_FOUND or ALREADY_EXISTS.
  Result<Branch> create_branch(const std::string& name, const std::string& revision);
  Status delete_branch(const std::string& name);
  Status set_default_branch(const std::string& branch);

  struct Impl;  // for the sources of git/

 private:
  explicit Repository(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// INVALID_ARGUMENT unless `name` may be a branch (git-check-ref-format).
Status check_branch_name(const std::string& name);
/// INVALID_ARGUMENT unless `path` may name a file in a repository: relative, no empty, ".", ".." or ".git"
/// parts.
Status check_file_path(const std::string& path);

}  // namespace towline::control::git
