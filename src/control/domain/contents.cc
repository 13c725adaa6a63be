#include "control/domain/contents.h"

#include <set>

#include "control/domain/branches.h"
#include "control/domain/configurations.h"
#include "control/domain/events.h"
#include "control/git/repository_store.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"
#include "control/store/namespace_table.h"

namespace towline::control {
namespace {

constexpr std::string_view kHeads = "refs/heads/";

std::set<std::string> changed_names(const git::References& before, const git::References& after) {
  std::set<std::string> changed;
  for (const auto& [name, id] : before) {
    const auto now = after.find(name);
    if (now == after.end() || now->second != id) changed.insert(name);
  }
  for (const auto& [name, id] : after) {
    if (!before.contains(name)) changed.insert(name);
  }
  return changed;
}

bool has_branches(const git::References& references) {
  const auto first = references.lower_bound(std::string(kHeads));
  return first != references.end() && first->first.starts_with(kHeads);
}

// The branch that becomes the default one after the first push: the one planned, else "master", else any.
std::string first_default(const git::References& references, const std::string& planned) {
  for (const std::string& name : {planned, std::string("master")}) {
    if (references.contains(std::string(kHeads) + name)) return name;
  }
  return references.lower_bound(std::string(kHeads))->first.substr(kHeads.size());
}

}  // namespace

Result<git::Repository> Contents::open(const Project& project, InterruptPtr interrupt) const {
  return core_.repositories.open(project.id, std::move(interrupt));
}

Result<git::Commit> Contents::commit(const Project& project, const git::CommitRequest& request) {
  const auto lock = core_.repositories.committing(project.id);
  auto repository = open(project);
  if (!repository) return fail(repository.error());
  auto before = repository->references();
  if (!before) return fail(before.error());
  auto made = repository->apply(request);
  if (made) references_changed(project, *before);
  return made;
}

Result<git::Commit> Contents::commit_as(Role role, const Project& project,
                                        const git::CommitRequest& request) {
  const Status allowed =
      core_.db.read([&](soci::session& sql) { return check_push(sql, project, request.branch, role); });
  if (!allowed.ok()) return fail(allowed);
  return commit(project, request);
}

std::set<std::string> Contents::references_changed(const Project& project, const git::References& before) {
  auto repository = open(project);
  if (!repository) return {};
  auto after = repository->references();
  if (!after) return {};
  const auto changed = changed_names(before, *after);
  if (changed.empty()) return changed;
  Project now = project;
  now.last_activity_at = core_.now();
  if (!has_branches(before) && has_branches(*after)) {
    now.default_branch = first_default(*after, project.default_branch);
    if (now.default_branch != project.default_branch) {
      if (Status status = repository->set_default_branch(now.default_branch); !status.ok()) {
        core_.log.warn("the default branch was not set",
                       {{"project_id", project.id}, {"error", status.to_string()}});
      }
    }
  }
  // Committing this also tells caches of rights to ask again: the configuration of agents may have changed.
  const Status status = core_.db.write([&](soci::session& sql) {
    auto stored = ProjectTable(sql).by_id(project.id);
    if (!stored) return;
    stored->last_activity_at = now.last_activity_at;
    if (now.default_branch != project.default_branch) {
      stored->default_branch = now.default_branch;
      ProtectedBranchTable rules(sql);
      if (!branch_rights(rules.of_project(project.id), now.default_branch, Role::kNone).is_protected) {
        rules.create({.project_id = project.id, .name = now.default_branch});
      }
    }
    ProjectTable(sql).update(*stored);
  });
  if (!status.ok()) {
    core_.log.warn("a push was not recorded", {{"project_id", project.id}, {"error", status.to_string()}});
    core_.db.bump();
  }
  if (changed.contains(std::string(kHeads) + now.default_branch)) core_.configurations.apply(project.id);
  for (const std::string& name : changed) {
    if (!name.starts_with(kHeads)) continue;
    core_.events.raise(Pushed{project.id, project.full_path, name});
    if (name.substr(kHeads.size()) == now.default_branch)
      core_.events.raise(ConfigurationChanged{project.id});
  }
  return changed;
}

}  // namespace towline::control
