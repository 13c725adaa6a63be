#include "control/domain/projects.h"

#include <algorithm>

#include "base/text.h"
#include "control/domain/agents.h"
#include "control/domain/configurations.h"
#include "control/domain/events.h"
#include "control/domain/names.h"
#include "control/git/repository_store.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"
#include "control/store/member_table.h"
#include "control/store/namespace_table.h"
#include "control/store/user_table.h"

namespace towline::control {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxDescription = 2000;
constexpr int kMaxDepth = 20;  // of groups within groups

Status check_texts(const std::string& name, const std::string& description) {
  if (name.empty() || name.size() > kMaxName)
    return {Code::kInvalidArgument, "name must have 1 to 255 characters"};
  if (description.size() > kMaxDescription) {
    return {Code::kInvalidArgument, "description is too long (maximum is 2000 characters)"};
  }
  return {};
}

// Projects and groups share one space of addresses.
Status check_free(soci::session& sql, const std::string& full_path) {
  if (ProjectTable(sql).by_path(full_path) || NamespaceTable(sql).by_path(full_path)) {
    return {Code::kAlreadyExists, "path \"" + full_path + "\" has already been taken"};
  }
  return {};
}

Result<Namespace> find_namespace(soci::session& sql, const User& creator, std::int64_t id) {
  auto space = id == 0 ? NamespaceTable(sql).of_user(creator.id) : NamespaceTable(sql).by_id(id);
  if (!space || role_of(sql, creator, *space) == Role::kNone) {
    return fail(Code::kInvalidArgument, "namespace_id: no such namespace");
  }
  if (role_of(sql, creator, *space) < Role::kMaintainer) {
    return fail(Code::kPermissionDenied, "you need the maintainer role in \"" + space->full_path + "\"");
  }
  return std::move(*space);
}

Status check(const NewProject& project) {
  if (Status status = check_texts(project.name, project.description); !status.ok()) return status;
  if (Status status = check_visibility(project.visibility); !status.ok()) return status;
  return git::check_branch_name(project.default_branch);
}

}  // namespace

Status check_visibility(const std::string& visibility) {
  if (visibility == "private" || visibility == "internal" || visibility == "public") return {};
  return {Code::kInvalidArgument, "visibility does not have a valid value"};
}

Role role_of(soci::session& sql, const User& user, const Project& project) {
  return user.admin ? Role::kOwner : MemberTable(sql).role_in_project(user.id, project);
}

Role role_of(soci::session& sql, const User& user, const Namespace& space) {
  return user.admin ? Role::kOwner : MemberTable(sql).role_in_namespace(user.id, space.id);
}

Result<Project> Projects::create(const User& creator, const NewProject& wanted) {
  if (creator.bot_project_id != 0) {
    return fail(Code::kPermissionDenied, "403 Forbidden: the access token of a project makes no projects");
  }
  if (Status status = check(wanted); !status.ok()) return fail(status);
  Project project{.name = wanted.name,
                  .path = wanted.path.empty() ? path_from_name(wanted.name) : wanted.path,
                  .description = wanted.description,
                  .visibility = wanted.visibility,
                  .default_branch = wanted.default_branch,
                  .creator_id = creator.id,
                  .created_at = core_.now(),
                  .last_activity_at = core_.now()};
  if (Status status = check_path(project.path); !status.ok()) return fail(status);
  return core_.db.write([&](soci::session& sql) -> Result<Project> {
    auto space = find_namespace(sql, creator, wanted.namespace_id);
    if (!space) return fail(space.error());
    project.namespace_id = space->id;
    project.full_path = space->full_path + "/" + project.path;
    if (Status status = check_free(sql, project.full_path); !status.ok()) return fail(status);
    project.id = ProjectTable(sql).create(project);
    ProtectedBranchTable(sql).create({.project_id = project.id, .name = project.default_branch});
    // What a server that was killed here has left behind belongs to nobody: its number was never given.
    if (Status status = core_.repositories.remove(project.id); !status.ok()) return fail(status);
    auto repository = core_.repositories.create(project.id, project.default_branch);
    if (!repository) return fail(repository.error());
    return project;
  });
}

Result<Project> Projects::update(const Project& wanted) {
  if (Status status = check_texts(wanted.name, wanted.description); !status.ok()) return fail(status);
  if (Status status = check_visibility(wanted.visibility); !status.ok()) return fail(status);
  if (Status status = check_path(wanted.path); !status.ok()) return fail(status);
  return core_.db.write([&](soci::session& sql) -> Result<Project> {
    const auto old = ProjectTable(sql).by_id(wanted.id);
    if (!old) return fail(Code::kNotFound, "404 Project Not Found");
    Project project = wanted;
    const auto space = NamespaceTable(sql).by_id(old->namespace_id);
    project.full_path = space->full_path + "/" + project.path;
    if (lower_case(project.full_path) != lower_case(old->full_path)) {
      if (Status status = check_free(sql, project.full_path); !status.ok()) return fail(status);
    }
    project.default_branch = old->default_branch;
    ProjectTable(sql).update(project);
    return project;
  });
}

Status Projects::remove(const Project& project) {
  auto revoked = core_.db.write([&](soci::session& sql) {
    auto tokens = active_tokens_of_project(sql, project.id);
    UserTable(sql).remove_bots(project.id);
    ProjectTable(sql).remove(project.id);
    return tokens;
  });
  if (!revoked) return revoked.error();
  raise_revoked(core_, *revoked);
  return core_.repositories.remove(project.id);
}

Result<Namespace> Projects::create_group(const User& creator, const NewGroup& wanted) {
  if (Status status = check_texts(wanted.name, wanted.description); !status.ok()) return fail(status);
  if (Status status = check_visibility(wanted.visibility); !status.ok()) return fail(status);
  if (creator.bot_project_id != 0) {
    return fail(Code::kPermissionDenied, "403 Forbidden: the access token of a project makes no groups");
  }
  const Status path = wanted.parent_id == 0 ? check_top_level_path(wanted.path) : check_path(wanted.path);
  if (!path.ok()) return fail(path);
  return core_.db.write([&](soci::session& sql) -> Result<Namespace> {
    Namespace group{.kind = "group",
                    .name = wanted.name,
                    .path = wanted.path,
                    .full_path = wanted.path,
                    .full_name = wanted.name,
                    .parent_id = wanted.parent_id,
                    .description = wanted.description,
                    .visibility = wanted.visibility,
                    .created_at = core_.now()};
    if (wanted.parent_id != 0) {
      auto parent = find_namespace(sql, creator, wanted.parent_id);
      if (!parent) return fail(parent.error());
      if (!parent->is_group()) return fail(Code::kInvalidArgument, "parent_id: not a group");
      group.full_path = parent->full_path + "/" + group.path;
      group.full_name = parent->full_name + " / " + group.name;
      if (std::count(group.full_path.begin(), group.full_path.end(), '/') >= kMaxDepth) {
        return fail(Code::kInvalidArgument, "groups can be nested 20 levels deep at most");
      }
    }
    if (Status status = check_free(sql, group.full_path); !status.ok()) return fail(status);
    group.id = NamespaceTable(sql).create(group);
    MemberTable(sql).add(creator.id, {.namespace_id = group.id}, Role::kOwner, group.created_at);
    return group;
  });
}

Status Projects::remove_group(const Namespace& group) {
  std::vector<Project> projects;
  auto revoked = core_.db.write([&](soci::session& sql) {
    projects = ProjectTable(sql).below(group.id);
    std::vector<AgentToken> tokens;
    for (const Project& project : projects) {
      for (AgentToken& token : active_tokens_of_project(sql, project.id)) tokens.push_back(std::move(token));
      UserTable(sql).remove_bots(project.id);
    }
    NamespaceTable(sql).remove(group.id);
    return tokens;
  });
  if (!revoked) return revoked.error();
  raise_revoked(core_, *revoked);
  Status result;
  for (const Project& project : projects) {
    if (Status status = core_.repositories.remove(project.id); !status.ok()) result = status;
  }
  return result;
}

}  // namespace towline::control
