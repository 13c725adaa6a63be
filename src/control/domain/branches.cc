#include "control/domain/branches.h"

#include <algorithm>

#include "control/git/repository.h"

namespace towline::control {
namespace {

bool may_push(const ProtectedBranch& rule, Role role) {
  return rule.push_access_level != Role::kNone && role >= rule.push_access_level;
}

}  // namespace

// After a mismatch only the last star can be to blame: whatever an earlier one took, the last could take as
// well. So it takes a character more, and matching goes on behind it.
bool branch_matches(std::string_view pattern, std::string_view name) {
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  while (at < name.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      taken = at;
    } else if (in < pattern.size() && pattern[in] == name[at]) {
      ++in;
      ++at;
    } else if (star != std::string_view::npos) {
      in = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  while (in < pattern.size() && pattern[in] == '*') ++in;
  return in == pattern.size();
}

Status check_branch_pattern(const std::string& pattern) {
  if (std::count(pattern.begin(), pattern.end(), '*') > static_cast<std::ptrdiff_t>(kMaxStars))
    return {Code::kInvalidArgument, "name has more than " + std::to_string(kMaxStars) + " \"*\""};
  std::string plain = pattern;  // with a letter for each "*", it must be a branch's name
  std::replace(plain.begin(), plain.end(), '*', 'x');
  if (git::check_branch_name(plain).ok()) return {};
  return {Code::kInvalidArgument, "name is neither a branch nor a pattern with \"*\""};
}

BranchRights branch_rights(const std::vector<ProtectedBranch>& rules, const std::string& branch, Role role) {
  BranchRights rights;
  for (const ProtectedBranch& rule : rules) {
    if (!branch_matches(rule.name, branch)) continue;
    if (!rights.is_protected) rights = {.is_protected = true, .push = false, .force_push = false};
    const bool push = may_push(rule, role);
    rights.push = rights.push || push;
    rights.force_push = rights.force_push || (push && rule.allow_force_push);
  }
  return rights;
}

}  // namespace towline::control
