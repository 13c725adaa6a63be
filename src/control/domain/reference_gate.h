#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "control/domain/accounts.h"
#include "control/domain/core.h"
#include "control/git/repository.h"

namespace soci {
class session;
}

namespace towline::control {

/// Who changes references. Only numbers: what they stand for is looked up when it counts.
struct Actor {
  /// Through which door he comes; it decides which scopes of a token are enough.
  enum class Door { kApi, kGit };

  std::int64_t user_id = 0;
  std::int64_t token_id = 0;  // 0: a session of the web page, or the server itself
  Door door = Door::kApi;

  static Actor of(const Caller& caller, Door door = Door::kApi) {
    return {.user_id = caller.user.id, .token_id = caller.token.id, .door = door};
  }
};

/// The one place that decides whether somebody may change references of a project, whichever way he asks: by
/// Git, the API or the web page. It decides by what the database says at the moment of the question: the user
/// and his token, his role, and the rules of protected branches. One for each request; blocks.
class ReferenceGate final : public git::ReferenceArbiter {
 public:
  ReferenceGate(Core& core, Actor actor, std::int64_t project_id)
      : core_(core), actor_(actor), project_id_(project_id) {}

  /// PERMISSION_DENIED, INVALID_ARGUMENT for a name that no reference may have, ALREADY_EXISTS for one that
  /// cannot be beside another, RESOURCE_EXHAUSTED for one too many, UNAVAILABLE when the database is.
  std::vector<Status> judge(const git::Repository& repository,
                            std::span<const git::ReferenceChange> changes) override;
  /// The same where the new objects are not in the repository yet: what depends on them is let through.
  std::vector<Status> preview(const git::Repository& repository,
                              std::span<const git::ReferenceChange> changes);
  /// The same for making a branch the default one, which must exist unless there is none at all.
  Status judge_default(const git::Repository& repository, const std::string& branch) override;

  /// What holds for all of the actor's changes now.
  struct Standing {
    Project project;
    Role role = Role::kNone;
    std::vector<ProtectedBranch> rules;
  };
  /// PERMISSION_DENIED for one who may change nothing.
  static Result<Standing> standing(soci::session& sql, const Actor& actor, std::int64_t project_id,
                                   Millis now);

 private:
  std::vector<Status> judge_all(const git::Repository& repository,
                                std::span<const git::ReferenceChange> changes, bool objects);

  Core& core_;
  Actor actor_;
  std::int64_t project_id_;
};

}  // namespace towline::control
