#include "control/domain/access.h"

#include <algorithm>
#include <vector>

#include "control/config/configuration_file.h"
#include "control/domain/projects.h"
#include "control/store/namespace_table.h"
#include "proto/agentcfg.pb.h"

namespace towline::control {
namespace {

namespace cfg = gitlab::agent::agentcfg;

constexpr Role kNeeded = Role::kDeveloper;

// A role of the person in something that the configuration lists.
struct Grant {
  const char* kind;  // "project" or "group"
  std::int64_t id;
  Role role;
};

std::vector<Grant> grants(soci::session& sql, const User& user, const cfg::UserAccessCF& access) {
  std::vector<Grant> found;
  const auto add = [&](const char* kind, std::int64_t id, Role role) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const Grant& each) {
      return std::string_view(each.kind) == kind && each.id == id;
    });
    if (role != Role::kNone && !known) found.push_back({kind, id, role});
  };
  for (const auto& listed : access.projects()) {
    const auto project = ProjectTable(sql).by_path(listed.id());
    if (project) add("project", project->id, role_of(sql, user, *project));
  }
  for (const auto& listed : access.groups()) {
    const auto group = NamespaceTable(sql).by_path(listed.id());
    if (group && group->is_group()) add("group", group->id, role_of(sql, user, *group));
  }
  return found;
}

Impersonation impersonate(const User& user, const Agent& agent, const std::vector<Grant>& granted) {
  Impersonation as{.username = "gitlab:user:" + user.username, .groups = {"gitlab:user"}};
  for (const Grant& grant : granted) {
    const std::string prefix =
        std::string("gitlab:") + grant.kind + "_role:" + std::to_string(grant.id) + ":";
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

bool knows_project(soci::session& sql, const User& user, const Agent& agent) {
  const auto project = ProjectTable(sql).by_id(agent.project_id);
  return project && role_of(sql, user, *project) != Role::kNone;
}

std::unexpected<Status> deny(soci::session& sql, const User& user, const Agent& agent,
                             const std::string& why) {
  if (!knows_project(sql, user, agent)) return fail(no_such_access(agent.id));
  return fail(Code::kPermissionDenied, "agent " + std::to_string(agent.id) + " (\"" + agent.name + "\" of " +
                                           agent.project_path + "): " + why);
}

}  // namespace

Status no_such_access(std::int64_t agent_id) {
  return {Code::kPermissionDenied, "agent " + std::to_string(agent_id) +
                                       " does not exist or its configuration does not let you use it"};
}

Result<Access> authorize_person(soci::session& sql, const Caller& caller,
                                const AgentConfiguration& configuration) {
  const Agent& agent = configuration.agent;
  const std::string path = config::configuration_path(agent.name);
  if (!configuration.file->has_user_access()) {
    return deny(sql, caller.user, agent,
                path + " has no user_access section, so that nobody may use it with a token");
  }
  const cfg::UserAccessCF& access = configuration.file->user_access();
  const std::vector<Grant> granted = grants(sql, caller.user, access);
  if (std::none_of(granted.begin(), granted.end(), [](const Grant& each) { return each.role >= kNeeded; })) {
    return deny(sql, caller.user, agent,
                "you need at least the developer role in one of the projects or groups that user_access of " +
                    path + " lists");
  }
  Access result{.agent = agent, .user_id = caller.user.id, .username = caller.user.username};
  if (access.access_as().has_user()) result.as = impersonate(caller.user, agent, granted);
  return result;
}

}  // namespace towline::control
