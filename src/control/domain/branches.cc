#include "control/domain/branches.h"

#include "control/store/environment_table.h"

namespace towline::control {
namespace {

bool may_push(const ProtectedBranch& rule, Role role) {
  return rule.push_access_level != Role::kNone && role >= rule.push_access_level;
}

}  // namespace

bool branch_matches(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= name.size(); ++at) {
    if (branch_matches(rest, name.substr(at))) return true;
  }
  return false;
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

Status check_push(soci::session& sql, const Project& project, const std::string& branch, Role role) {
  if (branch_rights(ProtectedBranchTable(sql).of_project(project.id), branch, role).push) return {};
  return {Code::kPermissionDenied,
          "You are not allowed to push into the protected branch \"" + branch + "\""};
}

std::string rules_for_hook(const std::vector<ProtectedBranch>& rules, Role role) {
  std::string text;
  for (const ProtectedBranch& rule : rules) {
    const bool push = may_push(rule, role);
    text += rule.name + "\t" + (push ? "1" : "0") + "\t" + (push && rule.allow_force_push ? "1" : "0") + "\n";
  }
  return text;
}

}  // namespace towline::control
