// The parts of Repository that change it.
#include <algorithm>
#include <chrono>
#include <thread>

#include "control/git/repository_impl.h"
#include "control/git/tree_edit.h"

namespace towline::control::git {
namespace {

// Others hold a branch's lock for a millisecond; this is minutes of bad luck.
constexpr int kMaxAttempts = 500;

/// Limit: changes of one commit; a commit of more is refused.
constexpr std::size_t kMaxChanges = 1000;
/// Limit: changes of one commit that ask for the last commit of their file, each of which is a walk through
/// the history; a commit of more is refused.
constexpr std::size_t kMaxGuarded = 100;
/// Limit: folders on the ways to the files of one commit, each counted for each file, since each may have to
/// be written; a commit of more is refused.
constexpr std::size_t kMaxFolders = 10'000;
/// Limit: bytes of a commit's message, author and committer; a commit of more is refused.
constexpr std::size_t kMaxMessage = kMaxCommit / 2;

std::unexpected<Status> refuse(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

// The tree that is being made: what the changes so far did to it.
class Draft {
 public:
  Draft(const Repository::Impl& impl, const git_tree* base) : impl_(impl), base_(base) {}

  Status apply(const Change& change) {
    if (Status status = impl_.check(); !status.ok()) return status;
    if (Status status = check_file_path(change.path); !status.ok()) return status;
    switch (change.kind) {
      case Change::Kind::kCreate:
        return create(change);
      case Change::Kind::kUpdate:
        return update(change);
      case Change::Kind::kDelete:
        return remove(change.path);
      case Change::Kind::kMove:
        return move(change);
    }
    return {Code::kInternal, "unknown change"};
  }
  Result<git_oid> write() const { return edit_tree(impl_, base_, edits_); }

 private:
  Result<std::optional<Leaf>> find(const std::string& path) const {
    if (const auto edited = edits_.find(path); edited != edits_.end()) return edited->second;
    if (base_ == nullptr) return std::nullopt;
    auto entry = impl_.entry_at(base_, path);
    if (!entry && entry.error().code() != Code::kNotFound) return fail(entry.error());
    if (!entry || git_tree_entry_type(entry->get()) == GIT_OBJECT_TREE) return std::nullopt;
    return Leaf{*git_tree_entry_id(entry->get()), git_tree_entry_filemode(entry->get())};
  }
  Result<Leaf> find_old(const std::string& path) const {
    auto found = find(path);
    if (!found) return fail(found.error());
    if (!*found) return refuse("A file with this name doesn't exist: \"" + path + "\"");
    return **found;
  }
  Status check_free(const std::string& path) const {
    const auto found = find(path);
    if (!found) return found.error();
    if (!*found) return {};
    return {Code::kInvalidArgument, "A file with this name already exists: \"" + path + "\""};
  }
  Status put(const std::string& path, const std::string& content, git_filemode_t mode) {
    Leaf leaf{{}, mode};
    const int error =
        git_blob_create_from_buffer(&leaf.id, impl_.handle.get(), content.data(), content.size());
    if (error != 0) return git_status(error, "file");
    edits_[path] = leaf;
    return {};
  }
  Status create(const Change& change) {
    if (Status status = check_free(change.path); !status.ok()) return status;
    return put(change.path, change.content.value_or(""), GIT_FILEMODE_BLOB);
  }
  Status update(const Change& change) {
    const auto old = find_old(change.path);
    if (!old) return old.error();
    return put(change.path, change.content.value_or(""), old->mode);
  }
  Status remove(const std::string& path) {
    if (const auto old = find_old(path); !old) return old.error();
    edits_[path] = std::nullopt;
    return {};
  }
  Status move(const Change& change) {
    if (Status status = check_file_path(change.previous_path); !status.ok()) return status;
    const auto old = find_old(change.previous_path);
    if (!old) return old.error();
    if (Status status = check_free(change.path); !status.ok()) return status;
    edits_[change.previous_path] = std::nullopt;
    edits_[change.path] = *old;
    return change.content ? put(change.path, *change.content, old->mode) : Status();
  }

  const Repository::Impl& impl_;
  const git_tree* base_;
  Edits edits_;
};

Result<SignatureHandle> make_signature(const Signature& from) {
  SignatureHandle made;
  const int error = git_signature_new(out(made), from.name.c_str(), from.email.c_str(), from.time / 1000, 0);
  if (error != 0) return refuse("author: the name and the e-mail address must not be empty");
  return made;
}

// Where a new commit goes on.
struct Base {
  std::optional<git_oid> tip;  // of the branch; nothing when it is new
  CommitHandle parent;         // null in an empty repository
  TreeHandle tree;
};

Result<Base> find_base(const Repository& repository, const Repository::Impl& impl,
                       const CommitRequest& request) {
  Base base;
  const std::string branch = "refs/heads/" + request.branch;
  base.tip = target_of(impl.handle.get(), branch);
  if (base.tip && !request.start_branch.empty() && request.start_branch != request.branch) {
    return refuse("branch \"" + request.branch + "\" exists already: leave start_branch out");
  }
  if (!base.tip && request.start_branch.empty()) {
    // An empty repository has no branch yet that the commit could begin at.
    auto any = repository.has_branches();
    if (!any) return fail(any.error());
    if (!*any) return base;
    // Somebody may have made the first commit since we looked.
    base.tip = target_of(impl.handle.get(), branch);
  }
  if (!base.tip && request.start_branch.empty()) {
    return refuse("branch \"" + request.branch + "\" does not exist: name its start_branch");
  }
  git_oid start{};
  if (base.tip) {
    start = *base.tip;
  } else {
    auto named = repository.resolve(request.start_branch);
    if (!named && named.error().code() == Code::kNotFound)
      return refuse("start_branch: " + named.error().message());
    if (!named) return fail(named.error());
    start = to_oid(*named);
  }
  auto parent = impl.commit(start);
  if (!parent) return fail(parent.error());
  base.parent = std::move(*parent);
  auto tree = impl.tree_of(base.parent.get());
  if (!tree) return fail(tree.error());
  base.tree = std::move(*tree);
  return base;
}

// Nobody could read a commit again that is over the limits of reading.
Status check_size(const CommitRequest& request) {
  std::size_t guarded = 0;
  std::size_t folders = 0;
  for (const Change& change : request.changes) {
    guarded += change.last_commit_id.empty() ? 0 : 1;
    for (const std::string* path : {&change.path, &change.previous_path})
      folders += static_cast<std::size_t>(std::count(path->begin(), path->end(), '/'));
  }
  if (folders > kMaxFolders) {
    return {Code::kResourceExhausted, "a commit may go through " + std::to_string(kMaxFolders) +
                                          " folders, each counted for each file"};
  }
  if (request.changes.size() > kMaxChanges || guarded > kMaxGuarded) {
    return {Code::kResourceExhausted, "a commit may have " + std::to_string(kMaxChanges) + " changes, " +
                                          std::to_string(kMaxGuarded) + " of them with last_commit_id"};
  }
  const std::size_t names = request.author.name.size() + request.author.email.size() +
                            request.committer.name.size() + request.committer.email.size();
  if (names + request.message.size() <= kMaxMessage) return {};
  return {Code::kResourceExhausted, "the message and the author of a commit may have " +
                                        std::to_string(kMaxMessage) + " bytes together"};
}

// Whether somebody else has changed a file that the request says it knows.
Status check_unchanged(const Repository& repository, const Base& base, const CommitRequest& request) {
  if (base.parent == nullptr) return {};
  for (const Change& change : request.changes) {
    if (change.last_commit_id.empty()) continue;
    const std::string& path = change.kind == Change::Kind::kMove ? change.previous_path : change.path;
    auto last = repository.last_commit_of(from_oid(*git_commit_id(base.parent.get())), path);
    if (!last) return last.error();
    if (last->to_text() == change.last_commit_id) continue;
    return {Code::kInvalidArgument,
            "You are attempting to update a file that has changed since you started editing it: \"" + path +
                "\""};
  }
  return {};
}

Result<git_oid> write_commit(const Repository::Impl& impl, const CommitRequest& request, const Base& base) {
  git_repository* repository = impl.handle.get();
  Draft draft(impl, base.tree.get());
  for (const Change& change : request.changes) {
    if (Status status = draft.apply(change); !status.ok()) return fail(status);
  }
  auto tree_id = draft.write();
  if (!tree_id) return fail(tree_id.error());
  auto author = make_signature(request.author);
  if (!author) return fail(author.error());
  auto committer = make_signature(request.committer);
  if (!committer) return fail(committer.error());
  TreeHandle tree;
  int error = git_tree_lookup(out(tree), repository, &*tree_id);
  if (error != 0) return fail(git_status(error, "tree"));
  git_oid id;
  const git_commit* parent = base.parent.get();
  error = git_commit_create(&id, repository, nullptr, author->get(), committer->get(), "UTF-8",
                            request.message.c_str(), tree.get(), parent == nullptr ? 0 : 1, &parent);
  if (error != 0) return fail(git_status(error, "commit"));
  return id;
}

void wait_a_little(int attempt) {
  std::this_thread::sleep_for(std::chrono::microseconds(500 * std::min(attempt + 1, 20)));
}

}  // namespace

Result<Commit> Repository::apply(const CommitRequest& request, ReferenceArbiter& arbiter) {
  if (Status status = check_branch_name(request.branch); !status.ok()) return fail(status);
  if (Status status = check_size(request); !status.ok()) return fail(status);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    auto base = find_base(*this, *impl_, request);
    if (!base) return fail(base.error());
    if (Status status = check_unchanged(*this, *base, request); !status.ok()) return fail(status);
    ReferenceChange change{.name = std::string(kHeads) + request.branch, .commits = true};
    if (base->tip) change.before = from_oid(*base->tip);
    // A commit that is refused leaves no objects behind.
    if (Status status = arbiter.judge(*this, std::span(&change, 1)).front(); !status.ok())
      return fail(status);
    auto id = write_commit(*impl_, request, *base);
    if (!id) return fail(id.error());
    change.after = from_oid(*id);
    const Status moved = move(std::span(&change, 1), true, arbiter).front();
    if (moved.ok()) return commit(change.after);
    if (moved.code() != Code::kAborted) return fail(moved);
    wait_a_little(attempt);
  }
  return fail(Code::kAborted, "branch \"" + request.branch + "\" is changed too often by others; try again");
}

}  // namespace towline::control::git
