#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "base/status.h"
#include "control/git/object_id.h"

namespace towline::control::git {

/// Limit: bytes of a path within a repository; a longer one is refused, and a tree that holds it is not
/// listed.
constexpr std::size_t kMaxPath = 4096;
/// Limit: folders within folders; a deeper path is refused, and a tree that holds it is not listed.
constexpr std::size_t kMaxDepth = 512;

/// Limit: bytes of a file that is read from a repository at all; a larger one is refused with 413.
constexpr std::size_t kMaxFile = 32 * 1024 * 1024;

/// Who wrote or committed something, and when (milliseconds since 1970).
struct Signature {
  std::string name;
  std::string email;
  std::int64_t time = 0;
};

struct Commit {
  ObjectId id;
  std::vector<ObjectId> parents;
  std::string message;
  Signature author;
  Signature committer;

  std::string title() const { return message.substr(0, message.find('\n')); }
};

/// How much of a commit is wanted: in a list, long messages and names are cut.
enum class Detail { kWhole, kListed };

struct File {
  ObjectId blob_id;
  std::string content;
  bool executable = false;
};

struct TreeEntry {
  ObjectId id;
  std::string name;
  std::string path;
  std::string type;  // "blob", "tree" or "commit" (a submodule)
  std::string mode;  // "100644"
};

/// Some entries of a listing. The total is absent where counting would take too long.
struct TreePage {
  std::vector<TreeEntry> entries;
  std::optional<std::int64_t> total;
  bool more = false;  // there are entries behind these
};

struct Branch {
  std::string name;
  ObjectId commit_id;
};

struct BranchPage {
  std::vector<Branch> branches;
  std::int64_t total = 0;
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
  std::string start_branch;  // when not empty and `branch` is new: where it begins, as resolve() takes it
  std::string message;
  Signature author;
  Signature committer;
  std::vector<Change> changes;
};

/// Where branches and tags are among the references.
inline constexpr std::string_view kHeads = "refs/heads/";
inline constexpr std::string_view kTags = "refs/tags/";

/// A change of one reference, "refs/heads/main". The null id stands for a reference that does not exist.
struct ReferenceChange {
  std::string name;
  ObjectId before;
  ObjectId after;
  /// `after` is a commit made on top of `before`, or will be: nobody need look at its history.
  bool commits = false;
};

class Repository;

/// Decides over changes of references. No reference moves without one that has allowed it just before.
class ReferenceArbiter {
 public:
  /// A verdict on each change, as if those before it that it allows had been made. A failure is told to
  /// whoever wants the change.
  virtual std::vector<Status> judge(const Repository& repository,
                                    std::span<const ReferenceChange> changes) = 0;
  virtual Status judge_default(const Repository& repository, const std::string& branch) = 0;

 protected:
  ~ReferenceArbiter() = default;
};

/// All references, "refs/heads/main" to its object.
using References = std::map<std::string, ObjectId>;

/// An open bare repository. Cheap to open; belongs to one thread at a time; several objects may be open on
/// the same repository at once, in this process and in others (git itself). Blocks.
///
/// What is in it was written by people who may mean harm: nothing is inflated or walked before its size is
/// known, and one call does the work of a fraction of a second. Only resolve() takes what users write for a
/// commit; everything else goes on from ids.
///
/// Errors: NOT_FOUND for a revision, path or branch that does not exist; INVALID_ARGUMENT for a change that
/// cannot be applied, with a message for its author; ABORTED when others kept changing the branch;
/// RESOURCE_EXHAUSTED for what is over a limit, which the message names; what an arbiter says; and
/// what `interrupt` says, once it does.
class Repository {
 public:
  static Result<Repository> open(const std::string& folder, InterruptPtr interrupt = nullptr);
  /// Makes an empty bare repository whose HEAD names `default_branch`.
  static Result<Repository> create(const std::string& folder, const std::string& default_branch);

  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  /// The commit that is meant by: an id of 40 hexadecimal digits, whatever names there are; "HEAD"; a branch;
  /// a tag; either in full, as refs/heads/main; the first 7 or more digits of an id. The first that exists
  /// counts. INVALID_ARGUMENT for digits that several ids begin with.
  Result<ObjectId> resolve(const std::string& revision) const;
  Result<std::optional<ObjectId>> branch_head(const std::string& branch) const;
  Result<Commit> commit(const ObjectId& id, Detail detail = Detail::kWhole) const;
  /// Newest first, from `from`; when `path` is not empty, those that changed it. At most `limit` after
  /// `skip`. The total is absent where counting would take too long.
  struct Log {
    std::vector<Commit> commits;
    std::optional<std::int64_t> total;
    bool more = false;  // there are commits behind these
  };
  Result<Log> log(const ObjectId& from, const std::string& path, std::size_t skip, std::size_t limit) const;

  /// A file of the tree of a commit; larger than `max_size` or kMaxFile: RESOURCE_EXHAUSTED.
  Result<File> file(const ObjectId& commit, const std::string& path, std::size_t max_size) const;
  /// The newest commit, from `from` back, that changed the path; the oldest one that was looked at where a
  /// walk would take too long.
  Result<ObjectId> last_commit_of(const ObjectId& from, const std::string& path) const;
  /// Entries of a folder ("" for the root) in Git's order, at most `limit` after `skip`; `recursive` goes
  /// into its folders.
  Result<TreePage> tree(const ObjectId& commit, const std::string& path, bool recursive, std::size_t skip,
                        std::size_t limit) const;
  /// The files called `name` in the folders of a folder: path/*/name.
  Result<TreePage> files_in_folders(const ObjectId& commit, const std::string& path, const std::string& name,
                                    std::size_t skip, std::size_t limit) const;

  /// The branches that have `search` in their names, by name, at most `limit` after `skip`.
  Result<BranchPage> branches(const std::string& search, std::size_t skip, std::size_t limit) const;
  Result<bool> has_branches() const;
  Result<References> references() const;
  /// Whether there is an object with this id; `commit`: and it is a commit. Reads no more than its kind.
  bool has_object(const ObjectId& id, bool commit) const;
  /// Whether `ancestor` is in the history of `commit`.
  Result<bool> goes_on_from(const ObjectId& commit, const ObjectId& ancestor) const;

  /// Commits on the tip of a branch: nothing that others commit or push meanwhile is lost. A branch that does
  /// not exist begins at start_branch, or empty in an empty repository.
  Result<Commit> apply(const CommitRequest& request, ReferenceArbiter& arbiter);
  /// Moves those references that `arbiter` allows to, and that still are where their changes saw them
  /// (else ABORTED); `atomic`: all or none. A result for each.
  std::vector<Status> move(std::span<const ReferenceChange> changes, bool atomic, ReferenceArbiter& arbiter);
  Status set_default_branch(const std::string& branch, ReferenceArbiter& arbiter);

  struct Impl;  // for the sources of git/

 private:
  explicit Repository(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// INVALID_ARGUMENT unless `name` may be given to a branch: git-check-ref-format allows it, and it cannot be
/// taken for anything else that a revision may be, an object's id above all.
Status check_branch_name(const std::string& name);
/// The same of a full reference, "refs/heads/main" or "refs/tags/v1"; there are no other kinds.
Status check_reference_name(const std::string& reference);
/// INVALID_ARGUMENT unless `path` may name a file in a repository: relative, no empty, ".", ".." or ".git"
/// parts, and neither too long nor too deep.
Status check_file_path(const std::string& path);

}  // namespace towline::control::git
