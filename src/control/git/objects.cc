// Reading single objects within limits.
#include <algorithm>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

/// Limit: annotated tags of annotated tags; a longer chain names nothing.
constexpr int kMaxTagChain = 16;
/// Limit: bytes of a commit's message in a list; it is cut there. One commit alone is given whole.
constexpr std::size_t kMaxListedMessage = 10 * 1024;
/// Limit: bytes of a name or an address in a list of commits; it is cut there.
constexpr std::size_t kMaxListedName = 1024;
/// Limit: parents of a commit in a list; further ones are left out.
constexpr std::size_t kMaxListedParents = 100;

Signature signature_of(const git_signature* from, std::size_t limit) {
  Signature made{from->name ? from->name : "", from->email ? from->email : "", from->when.time * 1000};
  if (made.name.size() > limit) made.name.resize(limit);
  if (made.email.size() > limit) made.email.resize(limit);
  return made;
}

}  // namespace

std::string shown(std::string_view text) {
  std::string made(text.substr(0, 200));
  if (made.size() < text.size()) made += "...";
  std::replace(made.begin(), made.end(), '\0', '?');
  return made;
}

Status check_path(std::string_view path) {
  const auto bad = [&](const std::string& why) {
    return Status(Code::kInvalidArgument, "path \"" + shown(path) + "\": " + why);
  };
  if (path.size() > kMaxPath) return bad("it has more than " + std::to_string(kMaxPath) + " bytes");
  if (path.find('\0') != std::string_view::npos) return bad("it holds a zero byte");
  if (static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) > kMaxDepth)
    return bad("it is more than " + std::to_string(kMaxDepth) + " folders deep");
  return {};
}

Status Repository::Impl::admit(const git_oid& id, git_object_t type, std::size_t limit, const char* what,
                               Budget* budget) const {
  if (Status status = check(); !status.ok()) return status;
  std::size_t size = 0;
  git_object_t kind = GIT_OBJECT_INVALID;
  const int error = git_odb_read_header(&size, &kind, odb.get(), &id);
  if (error != 0) return git_status(error, what);
  if (kind != type) return {Code::kNotFound, to_text(id) + " is not a " + what};
  if (size > limit) {
    return {Code::kResourceExhausted,
            what + (" " + to_text(id)) + " is larger than " + std::to_string(limit) + " bytes"};
  }
  if (budget != nullptr && !budget->take(size)) {
    return {Code::kResourceExhausted,
            "this takes more of the repository than one request may read: ask for less at once"};
  }
  return {};
}

Result<CommitHandle> Repository::Impl::commit(const git_oid& id, Budget* budget) const {
  if (Status status = admit(id, GIT_OBJECT_COMMIT, kMaxCommit, "commit", budget); !status.ok())
    return fail(status);
  CommitHandle made;
  const Allowance allowance;
  const int error = git_commit_lookup(out(made), handle.get(), &id);
  if (budget != nullptr) budget->spend(allowance.used());
  if (error != 0) return fail(git_status(error, "commit"));
  return made;
}

Result<TreeHandle> Repository::Impl::tree(const git_oid& id, Budget* budget) const {
  if (Status status = admit(id, GIT_OBJECT_TREE, kMaxTree, "tree", budget); !status.ok()) return fail(status);
  TreeHandle made;
  const Allowance allowance;
  const int error = git_tree_lookup(out(made), handle.get(), &id);
  if (budget != nullptr) budget->spend(allowance.used());
  if (error != 0) return fail(git_status(error, "tree"));
  return made;
}

Result<TreeHandle> Repository::Impl::tree_of(git_commit* commit, Budget* budget) const {
  return tree(*git_commit_tree_id(commit), budget);
}

Result<git_oid> Repository::Impl::peel(git_oid id) const {
  for (int links = 0; links <= kMaxTagChain; ++links) {
    std::size_t size = 0;
    git_object_t kind = GIT_OBJECT_INVALID;
    const int error = git_odb_read_header(&size, &kind, odb.get(), &id);
    if (error != 0) return fail(git_status(error, "revision"));
    if (kind == GIT_OBJECT_COMMIT) return id;
    if (kind != GIT_OBJECT_TAG) return fail(Code::kNotFound, to_text(id) + " is not a commit");
    if (Status status = admit(id, GIT_OBJECT_TAG, kMaxCommit, "tag"); !status.ok()) return fail(status);
    TagHandle tag;
    const Allowance allowance;
    if (const int failed = git_tag_lookup(out(tag), handle.get(), &id); failed != 0)
      return fail(git_status(failed, "tag"));
    id = *git_tag_target_id(tag.get());
  }
  return fail(Code::kNotFound,
              "a chain of more than " + std::to_string(kMaxTagChain) + " annotated tags names no commit");
}

Result<TreeEntryHandle> Repository::Impl::entry_at(const git_tree* root, std::string_view path,
                                                   Budget* budget) const {
  if (Status status = check_path(path); !status.ok()) return fail(status);
  const auto none = [&] { return fail(Code::kNotFound, "\"" + shown(path) + "\" does not exist"); };
  TreeHandle below;
  std::string_view rest = path;
  while (true) {
    const std::string name(rest.substr(0, rest.find('/')));
    const git_tree_entry* entry = git_tree_entry_byname(below ? below.get() : root, name.c_str());
    if (entry == nullptr) return none();
    if (name.size() == rest.size()) {
      TreeEntryHandle found;
      if (const int error = git_tree_entry_dup(out(found), entry); error != 0)
        return fail(git_status(error, "tree"));
      return found;
    }
    if (git_tree_entry_type(entry) != GIT_OBJECT_TREE) return none();
    auto next = tree(*git_tree_entry_id(entry), budget);
    if (!next) return fail(next.error());
    below = std::move(*next);
    rest.remove_prefix(name.size() + 1);
  }
}

Result<TreeHandle> Repository::Impl::folder_at(const git_oid& id, const std::string& path,
                                               Budget* budget) const {
  auto at = commit(id);
  if (!at) return fail(at.error());
  auto root = tree_of(at->get(), budget);
  if (!root || path.empty()) return root;
  auto entry = entry_at(root->get(), path, budget);
  if (!entry) return fail(entry.error());
  if (git_tree_entry_type(entry->get()) != GIT_OBJECT_TREE)
    return fail(Code::kNotFound, "\"" + shown(path) + "\" is not a folder");
  return tree(*git_tree_entry_id(entry->get()), budget);
}

Commit describe(git_commit* commit, Detail detail) {
  const bool whole = detail == Detail::kWhole;
  const std::size_t name_limit = whole ? kMaxCommit : kMaxListedName;
  Commit result{.id = from_oid(*git_commit_id(commit)),
                .message = git_commit_message(commit),
                .author = signature_of(git_commit_author(commit), name_limit),
                .committer = signature_of(git_commit_committer(commit), name_limit)};
  if (!whole && result.message.size() > kMaxListedMessage) result.message.resize(kMaxListedMessage);
  std::size_t parents = git_commit_parentcount(commit);
  if (!whole) parents = std::min(parents, kMaxListedParents);
  for (unsigned i = 0; i < parents; ++i) result.parents.push_back(from_oid(*git_commit_parent_id(commit, i)));
  return result;
}

}  // namespace towline::control::git
