// The parts of Repository that walk the history.
#include <algorithm>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

// Bounds one walk, so that a request on a huge history costs a fraction of a second and not a minute.
constexpr std::size_t kMaxWalked = 20'000;

// The object at `path` in the commit's tree; nothing when there is none.
std::optional<git_oid> object_at(git_commit* commit, const std::string& path) {
  TreeHandle tree;
  TreeEntryHandle entry;
  if (git_commit_tree(out(tree), commit) != 0) return std::nullopt;
  if (git_tree_entry_bypath(out(entry), tree.get(), path.c_str()) != 0) return std::nullopt;
  return *git_tree_entry_id(entry.get());
}

bool same(const std::optional<git_oid>& a, const std::optional<git_oid>& b) {
  if (!a || !b) return !a && !b;
  return git_oid_equal(&*a, &*b) != 0;
}

// A commit changes a path when it differs there from each of its parents; so a merge that takes one side does
// not.
bool changes_path(git_commit* commit, const std::string& path) {
  const auto now = object_at(commit, path);
  const unsigned parents = git_commit_parentcount(commit);
  if (parents == 0) return now.has_value();
  for (unsigned i = 0; i < parents; ++i) {
    CommitHandle parent;
    if (git_commit_parent(out(parent), commit, i) != 0) continue;
    if (same(now, object_at(parent.get(), path))) return false;
  }
  return true;
}

// Calls `visit` with each commit, newest first, until it returns false.
template <typename Visit>
Status walk(git_repository* repository, const git_oid* from, Visit visit) {
  RevwalkHandle walker;
  int error = git_revwalk_new(out(walker), repository);
  // Not in topological order, for which libgit2 would read the whole history before it gives the first
  // commit.
  if (error == 0) error = git_revwalk_sorting(walker.get(), GIT_SORT_TIME);
  if (error == 0) error = git_revwalk_push(walker.get(), from);
  if (error != 0) return git_status(error, "history");
  git_oid id;
  for (std::size_t walked = 0; walked < kMaxWalked && git_revwalk_next(&id, walker.get()) == 0; ++walked) {
    CommitHandle commit;
    error = git_commit_lookup(out(commit), repository, &id);
    if (error != 0) return git_status(error, "history");
    if (!visit(commit.get())) break;
  }
  return {};
}

}  // namespace

Result<Repository::Log> Repository::log(const std::string& revision, const std::string& path,
                                        std::size_t skip, std::size_t limit) const {
  auto start = impl_->find_commit(revision);
  if (!start) return fail(start.error());
  Log log;
  const Status status = walk(impl_->handle.get(), git_commit_id(start->get()), [&](git_commit* commit) {
    if (!path.empty() && !changes_path(commit, path)) return true;
    const auto at = static_cast<std::size_t>(log.total++);
    if (at >= skip && log.commits.size() < limit) log.commits.push_back(Impl::describe(commit));
    return true;
  });
  if (!status.ok()) return fail(status);
  return log;
}

Result<std::string> Repository::last_commit_of(const std::string& revision, const std::string& path) const {
  auto start = impl_->find_commit(revision);
  if (!start) return fail(start.error());
  std::string found;
  const Status status = walk(impl_->handle.get(), git_commit_id(start->get()), [&](git_commit* commit) {
    found = to_text(*git_commit_id(commit));
    return !changes_path(commit, path);
  });
  if (!status.ok()) return fail(status);
  return found;
}

Result<References> Repository::references() const {
  IteratorHandle iterator;
  int error = git_reference_iterator_new(out(iterator), impl_->handle.get());
  if (error != 0) return fail(git_status(error, "references"));
  References references;
  git_reference* raw = nullptr;
  while ((error = git_reference_next(&raw, iterator.get())) == 0) {
    const ReferenceHandle reference(raw);
    const git_oid* target = git_reference_target(reference.get());
    if (target != nullptr) references[git_reference_name(reference.get())] = to_text(*target);
  }
  if (error != GIT_ITEROVER) return fail(git_status(error, "references"));
  return references;
}

Result<std::vector<Branch>> Repository::branches() const {
  static constexpr std::string_view kHeads = "refs/heads/";
  auto all = references();
  if (!all) return fail(all.error());
  std::vector<Branch> branches;
  for (const auto& [name, id] : *all) {
    if (name.starts_with(kHeads)) branches.push_back({name.substr(kHeads.size()), id});
  }
  return branches;
}

}  // namespace towline::control::git
