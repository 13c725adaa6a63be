#pragma once

#include <string>

#include "base/status.h"
#include "control/roles.h"
#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

/// Whether `name` matches a protected branch's name, in which "*" stands for any text.
bool branch_matches(std::string_view pattern, std::string_view name);

/// What a role may do with a branch. Of several rules that match, the most permissive counts.
struct BranchRights {
  bool is_protected = false;
  bool push = true;
  bool force_push = true;  // and delete
};
BranchRights branch_rights(const std::vector<ProtectedBranch>& rules, const std::string& branch, Role role);

/// PERMISSION_DENIED when the branch is protected from pushes of this role.
Status check_push(soci::session& sql, const Project& project, const std::string& branch, Role role);

/// The rules as Git's update hook reads them: a pattern, whether this role may push, whether it may force,
/// one rule a line, with tabs between.
std::string rules_for_hook(const std::vector<ProtectedBranch>& rules, Role role);

}  // namespace towline::control
