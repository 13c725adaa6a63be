#include "control/domain/reference_gate.h"

#include <algorithm>
#include <set>

#include "control/domain/branches.h"
#include "control/domain/projects.h"
#include "control/git/repository_store.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"
#include "control/store/namespace_table.h"
#include "control/store/user_table.h"

namespace towline::control {
namespace {

Status deny(std::string message) { return {Code::kPermissionDenied, std::move(message)}; }

bool token_fits(const std::optional<AccessToken>& token, const Actor& actor, Millis now) {
  if (!token || token->user_id != actor.user_id || !token->valid_at(now)) return false;
  return token->has_scope("api") || (actor.door == Actor::Door::kGit && token->has_scope("write_repository"));
}

// Changes of one request, one after the other.
class Judge {
 public:
  Judge(const git::Repository& repository, const ReferenceGate::Standing& standing, std::size_t limit,
        bool objects)
      : repository_(repository), standing_(standing), limit_(limit), objects_(objects) {}

  Status judge(const git::ReferenceChange& change) {
    const bool removes = change.after.is_null() && !change.commits;
    // A reference with a bad name that came here long ago may still go.
    const bool known = change.name.starts_with(git::kHeads) || change.name.starts_with(git::kTags);
    if (!removes || !known) {
      if (Status status = git::check_reference_name(change.name); !status.ok()) return status;
    }
    const bool branch = change.name.starts_with(git::kHeads);
    if (branch) {
      if (Status status = check_branch(change, removes); !status.ok()) return status;
    }
    if (objects_ && !removes && !change.commits && !repository_.has_object(change.after, branch)) {
      return {Code::kInvalidArgument, branch ? "a branch must name a commit"
                                             : "the object " + change.after.to_text() + " is missing"};
    }
    if (change.before.is_null() == removes) return {};
    return removes ? leave(change.name) : enter(change.name);
  }

 private:
  Status check_branch(const git::ReferenceChange& change, bool removes) const {
    const std::string name = change.name.substr(git::kHeads.size());
    const BranchRights rights = branch_rights(standing_.rules, name, standing_.role);
    if (removes && name == standing_.project.default_branch)
      return deny("The default branch \"" + name + "\" cannot be deleted.");
    if (!rights.is_protected) return {};
    if (!rights.push) return deny("You are not allowed to push into the protected branch \"" + name + "\".");
    if (removes) return deny("The protected branch \"" + name + "\" cannot be deleted.");
    if (rights.force_push || change.before.is_null() || change.commits || !objects_) return {};
    auto forward = repository_.goes_on_from(change.after, change.before);
    if (!forward) return forward.error();
    if (*forward) return {};
    return deny("You are not allowed to force push into the protected branch \"" + name + "\".");
  }

  Status load() {
    if (loaded_) return {};
    auto all = repository_.references();
    if (!all) return all.error();
    for (auto& [name, id] : *all) names_.insert(name);
    loaded_ = true;
    return {};
  }

  Status leave(const std::string& name) {
    if (loaded_) names_.erase(name);
    left_.insert(name);
    return {};
  }

  // References are files in folders: "a" and "a/b" cannot be both.
  Status enter(const std::string& name) {
    if (Status status = load(); !status.ok()) return status;
    for (const std::string& gone : left_) names_.erase(gone);
    left_.clear();
    const std::string below = name + "/";
    std::string other;
    if (const auto next = names_.lower_bound(below); next != names_.end() && next->starts_with(below))
      other = *next;
    for (auto slash = name.rfind('/'); slash > git::kTags.size(); slash = name.rfind('/', slash - 1)) {
      if (names_.contains(name.substr(0, slash))) other = name.substr(0, slash);
    }
    if (!other.empty()) return {Code::kAlreadyExists, "it cannot be beside \"" + other + "\""};
    if (names_.size() >= limit_) {
      return {Code::kResourceExhausted, "The repository has as many branches and tags as it may have, " +
                                            std::to_string(limit_) +
                                            " (--max-references-per-repository): delete some first."};
    }
    names_.insert(name);
    return {};
  }

  const git::Repository& repository_;
  const ReferenceGate::Standing& standing_;
  std::size_t limit_;
  bool objects_;  // that the changes name are there to be looked at
  bool loaded_ = false;
  std::set<std::string, std::less<>> names_;
  std::set<std::string> left_;
};

}  // namespace

Result<ReferenceGate::Standing> ReferenceGate::standing(soci::session& sql, const Actor& actor,
                                                        std::int64_t project_id, Millis now) {
  const auto user = UserTable(sql).by_id(actor.user_id);
  if (!user || !user->active()) return fail(deny("Your account is blocked."));
  if (actor.token_id != 0 && !token_fits(AccessTokenTable(sql).by_id(actor.token_id), actor, now))
    return fail(deny("Your token has been revoked, has expired, or lacks the scope for this."));
  auto project = ProjectTable(sql).by_id(project_id);
  if (!project) return fail(Code::kNotFound, "404 Project Not Found");
  const Role role = role_of(sql, *user, *project);
  if (role < Role::kDeveloper)
    return fail(deny("You need at least the developer role to change this repository."));
  return Standing{std::move(*project), role, ProtectedBranchTable(sql).of_project(project_id)};
}

std::vector<Status> ReferenceGate::judge_all(const git::Repository& repository,
                                             std::span<const git::ReferenceChange> changes, bool objects) {
  auto now =
      core_.db.read([&](soci::session& sql) { return standing(sql, actor_, project_id_, core_.now()); });
  if (!now) return std::vector<Status>(changes.size(), now.error());
  Judge judge(repository, *now, core_.repositories.limits.references, objects);
  std::vector<Status> verdicts;
  for (const git::ReferenceChange& change : changes) verdicts.push_back(judge.judge(change));
  return verdicts;
}

std::vector<Status> ReferenceGate::judge(const git::Repository& repository,
                                         std::span<const git::ReferenceChange> changes) {
  return judge_all(repository, changes, true);
}

std::vector<Status> ReferenceGate::preview(const git::Repository& repository,
                                           std::span<const git::ReferenceChange> changes) {
  return judge_all(repository, changes, false);
}

Status ReferenceGate::judge_default(const git::Repository& repository, const std::string& branch) {
  auto now =
      core_.db.read([&](soci::session& sql) { return standing(sql, actor_, project_id_, core_.now()); });
  if (!now) return now.error();
  // It holds the configuration of agents. Before there is one, whoever may begin it may also name it.
  const std::string& planned = now->project.default_branch;
  const auto present = repository.branch_head(planned);
  if (!present) return present.error();
  const bool begins = !*present && branch_rights(now->rules, planned, now->role).push;
  if (now->role < Role::kMaintainer && !begins)
    return deny("You need at least the maintainer role to change the default branch.");
  if (Status status = git::check_branch_name(branch); !status.ok()) return status;
  const auto head = repository.branch_head(branch);
  if (!head) return head.error();
  if (*head) return {};
  const auto any = repository.has_branches();
  if (!any) return any.error();
  return *any ? Status(Code::kInvalidArgument, "default_branch: no such branch") : Status();
}

}  // namespace towline::control
