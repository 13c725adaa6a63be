#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "control/roles.h"
#include "control/store/records.h"

namespace towline::control {

/// Limit: "*" in a protected branch's pattern; a pattern with more is refused.
inline constexpr std::size_t kMaxStars = 8;
/// Limit: protected branches of a project; one more is refused.
inline constexpr std::size_t kMaxProtectedBranches = 500;

/// Whether `name` matches a protected branch's name, in which "*" stands for any text. At most as many steps
/// as the product of both lengths.
bool branch_matches(std::string_view pattern, std::string_view name);

/// INVALID_ARGUMENT unless it may be a protected branch's name or a pattern for such.
Status check_branch_pattern(const std::string& pattern);

/// What a role may do with a branch. Of several rules that match, the most permissive counts.
struct BranchRights {
  bool is_protected = false;
  bool push = true;
  bool force_push = true;
};
BranchRights branch_rights(const std::vector<ProtectedBranch>& rules, const std::string& branch, Role role);

}  // namespace towline::control
