#pragma once

#include <span>
#include <string>
#include <vector>

#include "control/git/repository.h"

namespace towline::control::git {

/// Lets anybody move anything, where a test is about something else.
struct Anybody final : ReferenceArbiter {
  std::vector<Status> judge(const Repository&, std::span<const ReferenceChange> changes) override {
    return std::vector<Status>(changes.size());
  }
  Status judge_default(const Repository&, const std::string&) override { return {}; }
};

inline Status make_branch(Repository& repository, const std::string& name, const ObjectId& at) {
  Anybody anybody;
  const ReferenceChange change{.name = std::string(kHeads) + name, .before = {}, .after = at};
  return repository.move(std::span(&change, 1), true, anybody).front();
}

}  // namespace towline::control::git
