#include "control/domain/access.h"

#include <algorithm>
#include <vector>

#include "control/config/configuration_file.h"
#include "control/domain/projects.h"
#include "control/store/member_table.h"
#include "control/store/namespace_table.h"
#include "proto/agentcfg.pb.h"

namespace towline::control {
namespace {

constexpr Role kNeeded = Role::kDeveloper;

/// Limit: memberships below one listed group that an impersonated person's groups name, the highest roles
/// first; more are left out.
constexpr std::int64_t kMaxBelow = 100;

// A role of the person in something that the configuration lists, or that is below that.
struct Grant {
  AccessRule::Kind kind;
  std::int64_t id;
  Role role;
};

class Grants {
 public:
  Grants(soci::session& sql, const User& user) : sql_(sql), user_(user) {}

  void add(const AccessRule& rule) {
    if (rule.kind == AccessRule::Kind::kProject) {
      const auto project = ProjectTable(sql_).by_id(rule.target_id);
      if (project) add(rule.kind, project->id, role_of(sql_, user_, *project));
      return;
    }
    const auto group = NamespaceTable(sql_).by_id(rule.target_id);
    if (!group || !group->is_group()) return;
    add(rule.kind, group->id, role_of(sql_, user_, *group));
    if (user_.admin) return;  // whose role there is the highest already
    for (const auto& each : MemberTable(sql_).below(user_.id, group->id, kMaxBelow)) {
      const bool project = each.place.project_id != 0;
      add(project ? AccessRule::Kind::kProject : AccessRule::Kind::kGroup,
          project ? each.place.project_id : each.place.namespace_id, each.role);
    }
  }
  bool allow() const {
    return std::any_of(found_.begin(), found_.end(), [](const Grant& each) { return each.role >= kNeeded; });
  }
  const std::vector<Grant>& all() const { return found_; }

 private:
  void add(AccessRule::Kind kind, std::int64_t id, Role role) {
    if (role == Role::kNone) return;
    for (Grant& each : found_) {
      if (each.kind != kind || each.id != id) continue;
      each.role = std::max(each.role, role);
      return;
    }
    found_.push_back({kind, id, role});
  }

  soci::session& sql_;
  const User& user_;
  std::vector<Grant> found_;
};

Impersonation impersonate(const User& user, const Agent& agent, const std::vector<Grant>& granted) {
  Impersonation as{.username = "gitlab:user:" + user.username, .groups = {"gitlab:user"}};
  for (const Grant& grant : granted) {
    const char* const kind = grant.kind == AccessRule::Kind::kProject ? "project" : "group";
    const std::string prefix = std::string("gitlab:") + kind + "_role:" + std::to_string(grant.id) + ":";
    for (const NamedRole& each : kRoles) {
      if (each.role <= grant.role) as.groups.push_back(prefix + std::string(each.name));
    }
  }
  as.extra = {{"agent.gitlab.com/id", {std::to_string(agent.id)}},
              {"agent.gitlab.com/username", {user.username}},
              {"agent.gitlab.com/config_project_id", {std::to_string(agent.project_id)}},
              {"agent.gitlab.com/access_type", {"personal_access_token"}}};
  return as;
}

Role role_in_its_project(soci::session& sql, const User& user, const Agent& agent) {
  const auto project = ProjectTable(sql).by_id(agent.project_id);
  return project ? role_of(sql, user, *project) : Role::kNone;
}

std::unexpected<Status> deny(soci::session& sql, const User& user, const CurrentConfiguration& current,
                             std::string why) {
  const Agent& agent = current.configuration.agent;
  const Role role = role_in_its_project(sql, user, agent);
  if (role == Role::kNone) return fail(no_such_access(agent.id));
  // A fault may quote the file, which reporters may read.
  if (!current.fault.empty() && role >= Role::kReporter) {
    const std::string fault = current.fault.substr(0, current.fault.find('\n'));
    why = current.configuration.file->has_user_access()
              ? why + "; the newest version of it is broken: " + fault
              : "its configuration is broken, and no version before gave access to anybody: " + fault;
  }
  return fail(Code::kPermissionDenied, "agent " + std::to_string(agent.id) + " (\"" + agent.name + "\" of " +
                                           agent.project_path + "): " + why);
}

}  // namespace

Status no_such_access(std::int64_t agent_id) {
  return {Code::kPermissionDenied, "agent " + std::to_string(agent_id) +
                                       " does not exist or its configuration does not let you use it"};
}

Result<Access> authorize_person(soci::session& sql, const Caller& caller,
                                const CurrentConfiguration& current) {
  const AgentConfiguration& configuration = current.configuration;
  const Agent& agent = configuration.agent;
  const std::string path = config::configuration_path(agent.name);
  if (!configuration.file->has_user_access()) {
    return deny(sql, caller.user, current,
                path + " has no user_access section, so that nobody may use it with a token");
  }
  Grants granted(sql, caller.user);
  for (const AccessRule& rule : *current.rules) {
    if (rule.section == AccessRule::Section::kUserAccess) granted.add(rule);
  }
  if (!granted.allow()) {
    return deny(sql, caller.user, current,
                "you need at least the developer role in one of the projects or groups that user_access of " +
                    path + " lists");
  }
  Access result{.agent = agent, .user_id = caller.user.id, .username = caller.user.username};
  const bool as_user = configuration.file->user_access().access_as().has_user();
  if (as_user) result.as = impersonate(caller.user, agent, granted.all());
  return result;
}

}  // namespace towline::control
