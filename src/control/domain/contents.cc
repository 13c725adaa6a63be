#include "control/domain/contents.h"

#include <algorithm>

#include "control/domain/branches.h"
#include "control/domain/configurations.h"
#include "control/domain/events.h"
#include "control/domain/storage.h"
#include "control/git/repository_store.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"
#include "control/store/namespace_table.h"

namespace towline::control {
namespace {

// As GitLab does, unless a rule exists that somebody has thought about.
void protect(soci::session& sql, std::int64_t project_id, const std::string& branch) {
  ProtectedBranchTable rules(sql);
  if (branch_rights(rules.of_project(project_id), branch, Role::kNone).is_protected) return;
  rules.create({.project_id = project_id, .name = branch});
}

// What a commit adds, about: files, and a tree for each of their folders.
std::uint64_t size_of(const git::CommitRequest& request) {
  constexpr std::uint64_t kTrees = 1024;
  std::uint64_t bytes = kTrees + request.message.size();
  for (const git::Change& change : request.changes) bytes += kTrees + change.content.value_or("").size();
  return bytes;
}

std::string reference_of(const std::string& branch) { return std::string(git::kHeads) + branch; }

}  // namespace

Result<git::Repository> Contents::open(const Project& project, InterruptPtr interrupt) const {
  return core_.repositories.open(project.id, std::move(interrupt));
}

Result<git::Commit> Contents::commit_as(const Actor& actor, const Project& project,
                                        const git::CommitRequest& request) {
  if (Status status = take_storage(core_, project, size_of(request)); !status.ok()) return fail(status);
  const auto lock = core_.repositories.committing(project.id);
  auto repository = open(project);
  if (!repository) return fail(repository.error());
  const auto any = repository->has_branches();
  const bool first = any && !*any;
  ReferenceGate gate(core_, actor, project.id);
  auto made = repository->apply(request, gate);
  const std::string moved = reference_of(request.branch);
  if (made) settle(gate, actor, project, *repository, std::span(&moved, 1), first);
  return made;
}

Result<git::Branch> Contents::create_branch(const Actor& actor, const Project& project,
                                            const std::string& name, const std::string& revision) {
  if (Status status = git::check_branch_name(name); !status.ok()) return fail(status);
  auto repository = open(project);
  if (!repository) return fail(repository.error());
  auto start = repository->resolve(revision);
  if (!start) return fail(start.error());
  const auto head = repository->branch_head(name);
  if (!head) return fail(head.error());
  if (*head) return fail(Code::kAlreadyExists, "Branch already exists");
  const git::ReferenceChange change{.name = reference_of(name), .before = {}, .after = *start};
  const Status status = move_as(actor, project, std::span(&change, 1), true).front();
  if (!status.ok()) return fail(status);
  return git::Branch{name, *start};
}

Status Contents::delete_branch(const Actor& actor, const Project& project, const std::string& name) {
  auto repository = open(project);
  if (!repository) return repository.error();
  const auto head = repository->branch_head(name);
  if (!head) return head.error();
  if (!*head) return {Code::kNotFound, "404 Branch Not Found"};
  const git::ReferenceChange change{.name = reference_of(name), .before = **head, .after = {}};
  return move_as(actor, project, std::span(&change, 1), true).front();
}

std::vector<Status> Contents::move_as(const Actor& actor, const Project& project,
                                      std::span<const git::ReferenceChange> changes, bool atomic) {
  const auto lock = core_.repositories.committing(project.id);
  auto repository = open(project);
  if (!repository) return std::vector<Status>(changes.size(), repository.error());
  const auto any = repository->has_branches();
  const bool first = any && !*any;
  ReferenceGate gate(core_, actor, project.id);
  std::vector<Status> results = repository->move(changes, atomic, gate);
  std::vector<std::string> moved;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (results[i].ok() && changes[i].before != changes[i].after) moved.push_back(changes[i].name);
  }
  if (!moved.empty()) settle(gate, actor, project, *repository, moved, first);
  return results;
}

std::vector<Status> Contents::would_move(const Actor& actor, const Project& project,
                                         std::span<const git::ReferenceChange> changes) const {
  auto repository = open(project);
  if (!repository) return std::vector<Status>(changes.size(), repository.error());
  return ReferenceGate(core_, actor, project.id).preview(*repository, changes);
}

Status Contents::may_set_default_branch(const Actor& actor, const Project& project,
                                        const std::string& branch) const {
  auto repository = open(project);
  if (!repository) return repository.error();
  return ReferenceGate(core_, actor, project.id).judge_default(*repository, branch);
}

Status Contents::set_default_branch(const Actor& actor, const Project& project, const std::string& branch) {
  const auto lock = core_.repositories.committing(project.id);
  auto repository = open(project);
  if (!repository) return repository.error();
  ReferenceGate gate(core_, actor, project.id);
  if (Status status = repository->set_default_branch(branch, gate); !status.ok()) return status;
  const Status status = core_.db.write([&](soci::session& sql) -> Status {
    auto stored = ProjectTable(sql).by_id(project.id);
    if (!stored) return {Code::kNotFound, "404 Project Not Found"};
    stored->default_branch = branch;
    ProjectTable(sql).update(*stored);
    protect(sql, project.id, branch);
    return {};
  });
  if (!status.ok()) return status;
  core_.configurations.apply(project.id);
  core_.events.raise(ConfigurationChanged{project.id});
  return {};
}

// The branch that becomes the default one after the first push: the one planned, else "master", else any; but
// only when it may be pushed by one who may push what was planned.
std::string Contents::first_default(ReferenceGate& gate, const Actor& actor, const Project& project,
                                    git::Repository& repository) {
  const std::string& planned = project.default_branch;
  const auto exists = [&](const std::string& name) {
    const auto head = repository.branch_head(name);
    return head && head->has_value();
  };
  const auto branches = repository.branches("", 0, 1);
  if (exists(planned) || !branches || branches->branches.empty()) return planned;
  const std::string wanted = exists("master") ? "master" : branches->branches.front().name;
  const auto standing = core_.db.read(
      [&](soci::session& sql) { return ReferenceGate::standing(sql, actor, project.id, core_.now()); });
  if (!standing || !branch_rights(standing->rules, planned, standing->role).push) return planned;
  if (Status status = repository.set_default_branch(wanted, gate); !status.ok()) {
    core_.log.warn("the default branch was not set",
                   {{"project_id", project.id}, {"error", status.to_string()}});
    return planned;
  }
  return wanted;
}

void Contents::settle(ReferenceGate& gate, const Actor& actor, const Project& asked,
                      git::Repository& repository, std::span<const std::string> moved, bool first) {
  // A push may have begun long ago, when another branch was the default one.
  const auto found = core_.db.read([&](soci::session& sql) { return ProjectTable(sql).by_id(asked.id); });
  const Project project = found && *found ? **found : asked;
  std::string branch = project.default_branch;
  if (first) branch = first_default(gate, actor, project, repository);
  // Committing this also tells caches of rights to ask again: the configuration of agents may have changed.
  const Status status = core_.db.write([&](soci::session& sql) {
    auto stored = ProjectTable(sql).by_id(project.id);
    if (!stored) return;
    stored->last_activity_at = core_.now();
    if (branch != project.default_branch) {
      stored->default_branch = branch;
      protect(sql, project.id, branch);
    }
    ProjectTable(sql).update(*stored);
  });
  if (!status.ok()) {
    core_.log.warn("a push was not recorded", {{"project_id", project.id}, {"error", status.to_string()}});
    core_.db.bump();
  }
  const std::string head = reference_of(branch);
  if (std::find(moved.begin(), moved.end(), head) != moved.end()) core_.configurations.apply(project.id);
  for (const std::string& name : moved) {
    if (!name.starts_with(git::kHeads)) continue;
    core_.events.raise(Pushed{project.id, project.full_path, name});
    if (name == head) core_.events.raise(ConfigurationChanged{project.id});
  }
}

}  // namespace towline::control
