// The parts of Repository that change it.
#include <algorithm>
#include <chrono>
#include <thread>

#include <git2/transaction.h>

#include "control/git/repository_impl.h"
#include "control/git/tree_edit.h"

namespace towline::control::git {
namespace {

using TransactionHandle = Handle<git_transaction, git_transaction_free>;

// Others hold a branch's lock for a millisecond; this is minutes of bad luck.
constexpr int kMaxAttempts = 500;

std::unexpected<Status> refuse(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

// The tree that is being made: what the changes so far did to it.
class Draft {
 public:
  Draft(git_repository* repository, const git_tree* base) : repository_(repository), base_(base) {}

  Status apply(const Change& change) {
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
  Result<git_oid> write() const { return edit_tree(repository_, base_, edits_); }

 private:
  static Status exists(const std::string& path) {
    return {Code::kInvalidArgument, "A file with this name already exists: \"" + path + "\""};
  }
  static Status missing(const std::string& path) {
    return {Code::kInvalidArgument, "A file with this name doesn't exist: \"" + path + "\""};
  }

  std::optional<Leaf> find(const std::string& path) const {
    if (const auto edited = edits_.find(path); edited != edits_.end()) return edited->second;
    TreeEntryHandle entry;
    if (base_ == nullptr || git_tree_entry_bypath(out(entry), base_, path.c_str()) != 0) return std::nullopt;
    if (git_tree_entry_type(entry.get()) == GIT_OBJECT_TREE) return std::nullopt;
    return Leaf{*git_tree_entry_id(entry.get()), git_tree_entry_filemode(entry.get())};
  }
  Status put(const std::string& path, const std::string& content, git_filemode_t mode) {
    Leaf leaf{{}, mode};
    const int error = git_blob_create_from_buffer(&leaf.id, repository_, content.data(), content.size());
    if (error != 0) return git_status(error, "file");
    edits_[path] = leaf;
    return {};
  }
  Status create(const Change& change) {
    if (find(change.path)) return exists(change.path);
    return put(change.path, change.content.value_or(""), GIT_FILEMODE_BLOB);
  }
  Status update(const Change& change) {
    const auto old = find(change.path);
    if (!old) return missing(change.path);
    return put(change.path, change.content.value_or(""), old->mode);
  }
  Status remove(const std::string& path) {
    if (!find(path)) return missing(path);
    edits_[path] = std::nullopt;
    return {};
  }
  Status move(const Change& change) {
    if (Status status = check_file_path(change.previous_path); !status.ok()) return status;
    const auto old = find(change.previous_path);
    if (!old) return missing(change.previous_path);
    if (find(change.path)) return exists(change.path);
    edits_[change.previous_path] = std::nullopt;
    edits_[change.path] = *old;
    return change.content ? put(change.path, *change.content, old->mode) : Status();
  }

  git_repository* repository_;
  const git_tree* base_;
  Edits edits_;
};

Result<SignatureHandle> make_signature(const Signature& from) {
  SignatureHandle made;
  const int error = git_signature_new(out(made), from.name.c_str(), from.email.c_str(), from.time / 1000, 0);
  if (error != 0) return refuse("author: the name and the e-mail address must not be empty");
  return made;
}

std::optional<git_oid> target_of(git_repository* repository, const std::string& reference) {
  git_oid id;
  if (git_reference_name_to_id(&id, repository, reference.c_str()) != 0) return std::nullopt;
  return id;
}

// Sets a reference under its lock, if it still is where the caller saw it; false: it is not, or somebody
// holds it.
Result<bool> move_reference(git_repository* repository, const std::string& reference,
                            const std::optional<git_oid>& seen, const git_oid& to) {
  TransactionHandle transaction;
  int error = git_transaction_new(out(transaction), repository);
  if (error == 0) error = git_transaction_lock_ref(transaction.get(), reference.c_str());
  if (error == GIT_ELOCKED) return false;
  if (error != 0) return fail(git_status(error, "branch"));
  const auto now = target_of(repository, reference);
  if (now.has_value() != seen.has_value() || (now && git_oid_equal(&*now, &*seen) == 0)) return false;
  error = git_transaction_set_target(transaction.get(), reference.c_str(), &to, nullptr, "commit");
  if (error == 0) error = git_transaction_commit(transaction.get());
  if (error != 0) return fail(git_status(error, "branch"));
  return true;
}

// Where a new commit goes on.
struct Base {
  std::optional<git_oid> tip;  // of the branch; nothing when it is new
  CommitHandle parent;         // null in an empty repository
  TreeHandle tree;
};

}  // namespace

Status check_branch_name(const std::string& name) {
  start_library();
  int valid = 0;
  if (name.starts_with('-') || git_branch_name_is_valid(&valid, name.c_str()) != 0 || valid == 0 ||
      name.find('\0') != std::string::npos) {
    return {Code::kInvalidArgument, "\"" + name + "\" is not a valid branch name"};
  }
  return {};
}

Status check_file_path(const std::string& path) {
  const auto bad = [&](const char* why) {
    return Status(Code::kInvalidArgument, "file path \"" + path.substr(0, 200) + "\": " + why);
  };
  if (path.empty()) return {Code::kInvalidArgument, "the file path is empty"};
  if (path.size() > 4096) return bad("it is too long");
  if (path.find('\0') != std::string::npos)
    return {Code::kInvalidArgument, "the file path holds a zero byte"};
  std::size_t at = 0;
  while (at <= path.size()) {
    const auto end = std::min(path.find('/', at), path.size());
    std::string part = path.substr(at, end - at);
    std::transform(part.begin(), part.end(), part.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (part.empty()) return bad("it must be relative and have no empty parts");
    if (part == "." || part == "..") return bad("it must not hold \".\" or \"..\"");
    if (part == ".git") return bad("it must not hold \".git\"");
    at = end + 1;
  }
  return {};
}

namespace {

bool has_branches(git_repository* repository) {
  IteratorHandle iterator;
  git_reference* raw = nullptr;
  if (git_reference_iterator_glob_new(out(iterator), repository, "refs/heads/*") != 0) return true;
  if (git_reference_next(&raw, iterator.get()) != 0) return false;
  git_reference_free(raw);
  return true;
}

Result<Base> find_base(const Repository::Impl& impl, const CommitRequest& request) {
  Base base;
  base.tip = target_of(impl.handle.get(), "refs/heads/" + request.branch);
  if (base.tip && !request.start_branch.empty() && request.start_branch != request.branch) {
    return refuse("branch \"" + request.branch + "\" exists already: leave start_branch out");
  }
  if (!base.tip && request.start_branch.empty()) {
    // An empty repository has no branch yet that the commit could begin at.
    if (!has_branches(impl.handle.get())) return base;
    // Somebody may have made the first commit since we looked.
    base.tip = target_of(impl.handle.get(), "refs/heads/" + request.branch);
  }
  if (!base.tip && request.start_branch.empty()) {
    return refuse("branch \"" + request.branch + "\" does not exist: name its start_branch");
  }
  auto parent = impl.find_commit(base.tip ? to_text(*base.tip) : request.start_branch);
  if (!parent) return refuse("start_branch: " + parent.error().message());
  base.parent = std::move(*parent);
  auto tree = impl.tree_of(base.parent.get());
  if (!tree) return fail(tree.error());
  base.tree = std::move(*tree);
  return base;
}

Result<git_oid> write_commit(git_repository* repository, const CommitRequest& request, const Base& base) {
  Draft draft(repository, base.tree.get());
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

Result<Commit> Repository::apply(const CommitRequest& request) {
  if (Status status = check_branch_name(request.branch); !status.ok()) return fail(status);
  git_repository* repository = impl_->handle.get();
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    auto base = find_base(*impl_, request);
    if (!base) return fail(base.error());
    for (const Change& change : request.changes) {
      if (change.last_commit_id.empty() || base->parent == nullptr) continue;
      const std::string& path = change.kind == Change::Kind::kMove ? change.previous_path : change.path;
      auto last = last_commit_of(to_text(*git_commit_id(base->parent.get())), path);
      if (last && *last != change.last_commit_id) {
        return refuse(
            "You are attempting to update a file that has changed since you started editing it: \"" + path +
            "\"");
      }
    }
    auto id = write_commit(repository, request, *base);
    if (!id) return fail(id.error());
    auto moved = move_reference(repository, "refs/heads/" + request.branch, base->tip, *id);
    if (!moved) return fail(moved.error());
    if (*moved) return commit(to_text(*id));
    wait_a_little(attempt);
  }
  return fail(Code::kAborted, "branch \"" + request.branch + "\" is changed too often by others; try again");
}

Result<Branch> Repository::create_branch(const std::string& name, const std::string& revision) {
  if (Status status = check_branch_name(name); !status.ok()) return fail(status);
  auto start = impl_->find_commit(revision);
  if (!start) return fail(start.error());
  const std::string reference = "refs/heads/" + name;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (target_of(impl_->handle.get(), reference)) return fail(Code::kAlreadyExists, "Branch already exists");
    auto moved = move_reference(impl_->handle.get(), reference, std::nullopt, *git_commit_id(start->get()));
    if (!moved) return fail(moved.error());
    if (*moved) return Branch{name, to_text(*git_commit_id(start->get()))};
    wait_a_little(attempt);
  }
  return fail(Code::kAborted, "branch \"" + name + "\" is changed too often by others; try again");
}

Status Repository::delete_branch(const std::string& name) {
  ReferenceHandle reference;
  int error = git_reference_lookup(out(reference), impl_->handle.get(), ("refs/heads/" + name).c_str());
  if (error == 0) error = git_reference_delete(reference.get());
  return error == 0 ? Status() : git_status(error, "branch \"" + name + "\"");
}

Status Repository::set_default_branch(const std::string& branch) {
  const int error = git_repository_set_head(impl_->handle.get(), ("refs/heads/" + branch).c_str());
  return error == 0 ? Status() : git_status(error, "default branch");
}

}  // namespace towline::control::git
