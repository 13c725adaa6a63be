// Listing references.
#include <algorithm>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

/// Limit: references of a repository that are looked at; listing more is refused.
constexpr std::size_t kMaxReferences = 100'000;

Status too_many() {
  return {Code::kResourceExhausted, "the repository has more than " + std::to_string(kMaxReferences) +
                                        " references: delete some with git push --delete"};
}

// Calls visit(name) for each reference that the glob matches.
template <typename Visit>
Status each_name(const Repository::Impl& impl, const char* glob, Visit visit) {
  IteratorHandle iterator;
  int error = git_reference_iterator_glob_new(out(iterator), impl.handle.get(), glob);
  if (error != 0) return git_status(error, "references");
  const char* name = nullptr;
  for (std::size_t seen = 0; (error = git_reference_next_name(&name, iterator.get())) == 0; ++seen) {
    if (seen >= kMaxReferences) return too_many();
    if (Status status = impl.check(); !status.ok()) return status;
    if (!visit(std::string(name))) return {};
  }
  return error == GIT_ITEROVER ? Status() : git_status(error, "references");
}

}  // namespace

Result<References> Repository::references() const {
  IteratorHandle iterator;
  int error = git_reference_iterator_new(out(iterator), impl_->handle.get());
  if (error != 0) return fail(git_status(error, "references"));
  References references;
  git_reference* raw = nullptr;
  while ((error = git_reference_next(&raw, iterator.get())) == 0) {
    const ReferenceHandle reference(raw);
    if (references.size() >= kMaxReferences) return fail(too_many());
    if (Status status = impl_->check(); !status.ok()) return fail(status);
    const git_oid* target = git_reference_target(reference.get());
    if (target != nullptr) references[git_reference_name(reference.get())] = from_oid(*target);
  }
  if (error != GIT_ITEROVER) return fail(git_status(error, "references"));
  return references;
}

Result<bool> Repository::has_branches() const {
  bool any = false;
  const Status status = each_name(*impl_, "refs/heads/*", [&](const std::string&) {
    any = true;
    return false;
  });
  if (!status.ok()) return fail(status);
  return any;
}

Result<BranchPage> Repository::branches(const std::string& search, std::size_t skip,
                                        std::size_t limit) const {
  std::vector<std::string> names;
  const Status status = each_name(*impl_, "refs/heads/*", [&](std::string name) {
    name.erase(0, kHeads.size());
    if (name.find(search) != std::string::npos) names.push_back(std::move(name));
    return true;
  });
  if (!status.ok()) return fail(status);
  std::sort(names.begin(), names.end());
  BranchPage page{.total = static_cast<std::int64_t>(names.size())};
  for (std::size_t i = skip; i < names.size() && i - skip < limit; ++i) {
    auto head = branch_head(names[i]);
    if (!head) return fail(head.error());
    if (*head) page.branches.push_back({std::move(names[i]), **head});
  }
  return page;
}

}  // namespace towline::control::git
