#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/status.h"
#include "control/domain/core.h"
#include "control/domain/reference_gate.h"
#include "control/git/repository.h"

namespace towline::control {

/// What is in the repositories of projects, and what follows when it changes. Whoever changes something is
/// judged by ReferenceGate. Blocks. Safe from any thread.
class Contents {
 public:
  explicit Contents(Core& core) : core_(core) {}

  Result<git::Repository> open(const Project& project, InterruptPtr interrupt = nullptr) const;
  /// Commits and tells the world; see git::Repository::apply.
  Result<git::Commit> commit_as(const Actor& actor, const Project& project,
                                const git::CommitRequest& request);
  /// NOT_FOUND for a revision that is none, ALREADY_EXISTS.
  Result<git::Branch> create_branch(const Actor& actor, const Project& project, const std::string& name,
                                    const std::string& revision);
  /// NOT_FOUND.
  Status delete_branch(const Actor& actor, const Project& project, const std::string& name);
  /// What a push wants; a result for each change.
  std::vector<Status> move_as(const Actor& actor, const Project& project,
                              std::span<const git::ReferenceChange> changes, bool atomic);
  /// What move_as would say to changes whose objects may not be there yet, as far as it can be known.
  std::vector<Status> would_move(const Actor& actor, const Project& project,
                                 std::span<const git::ReferenceChange> changes) const;
  /// The branch that agents' configuration is read from; it is protected from now on.
  Status set_default_branch(const Actor& actor, const Project& project, const std::string& branch);
  /// What set_default_branch would say of its right, for those who have other things to do first.
  Status may_set_default_branch(const Actor& actor, const Project& project, const std::string& branch) const;

 private:
  // References of these names have moved; `first`: there was no branch before.
  void settle(ReferenceGate& gate, const Actor& actor, const Project& project, git::Repository& repository,
              std::span<const std::string> moved, bool first);
  std::string first_default(ReferenceGate& gate, const Actor& actor, const Project& project,
                            git::Repository& repository);

  Core& core_;
};

}  // namespace towline::control
