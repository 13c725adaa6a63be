// What users write for a commit, and nothing else does.
#include <algorithm>

#include "control/git/repository_impl.h"

namespace towline::control::git {
namespace {

constexpr std::size_t kMinIdDigits = 7;
constexpr std::size_t kIdDigits = 40;

std::optional<git_oid> target_of(git_repository* repository, const std::string& reference) {
  git_oid id;
  if (git_reference_name_to_id(&id, repository, reference.c_str()) != 0) return std::nullopt;
  return id;
}

bool is_hexadecimal(const std::string& text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

// By a branch, else by a tag, whose names the text may be, be it in full.
std::optional<git_oid> by_name(git_repository* repository, const std::string& name) {
  if (name == "HEAD" || name.starts_with("refs/heads/") || name.starts_with("refs/tags/"))
    return target_of(repository, name);
  if (auto branch = target_of(repository, "refs/heads/" + name)) return branch;
  return target_of(repository, "refs/tags/" + name);
}

Result<git_oid> by_digits(git_odb* odb, const std::string& digits) {
  git_oid part;
  git_oid whole;
  if (git_oid_fromstrn(&part, digits.c_str(), digits.size()) != 0) return fail(Code::kNotFound, "no id");
  const int error = git_odb_exists_prefix(&whole, odb, &part, digits.size());
  if (error == GIT_EAMBIGUOUS)
    return fail(Code::kInvalidArgument, "the short id " + digits + " is ambiguous: write more of its digits");
  if (error != 0) return fail(git_status(error, digits));
  return whole;
}

}  // namespace

bool may_be_reference(std::string_view name) {
  return name.size() <= kMaxPath && name.find('\0') == std::string_view::npos;
}

Result<ObjectId> Repository::resolve(const std::string& revision) const {
  const auto none = [&] {
    return fail(Code::kNotFound, "revision \"" + shown(revision) + "\" does not exist");
  };
  if (Status status = impl_->check(); !status.ok()) return fail(status);
  if (!may_be_reference(revision)) return none();
  std::optional<git_oid> found;
  // An id is an id, whatever branches and tags there are.
  const bool is_id = revision.size() == kIdDigits && is_hexadecimal(revision);
  if (!is_id) found = by_name(impl_->handle.get(), revision);
  if (!found && revision.size() >= kMinIdDigits && revision.size() <= kIdDigits && is_hexadecimal(revision)) {
    auto object = by_digits(impl_->odb.get(), revision);
    if (!object && object.error().code() != Code::kNotFound) return fail(object.error());
    if (object) found = *object;
  }
  if (!found) return none();
  auto commit = impl_->peel(*found);
  if (!commit && commit.error().code() == Code::kNotFound)
    return fail(Code::kNotFound, "\"" + shown(revision) + "\" is not a commit");
  if (!commit) return fail(commit.error());
  return from_oid(*commit);
}

Result<std::optional<ObjectId>> Repository::branch_head(const std::string& branch) const {
  if (Status status = impl_->check(); !status.ok()) return fail(status);
  if (!may_be_reference(branch)) return std::nullopt;
  git_oid id;
  const int error = git_reference_name_to_id(&id, impl_->handle.get(), ("refs/heads/" + branch).c_str());
  if (error == GIT_ENOTFOUND || error == GIT_EINVALIDSPEC) return std::nullopt;
  if (error != 0) return fail(git_status(error, "branch " + shown(branch)));
  return from_oid(id);
}

}  // namespace towline::control::git
