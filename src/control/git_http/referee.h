#pragma once

#include <string>

#include "control/domain/core.h"
#include "control/git_http/gate.h"
#include "control/git_http/push_dialogue.h"

namespace towline::control::git_http {

/// Answers what pushes ask, and moves their references. Blocks; safe from any thread.
class Referee {
 public:
  explicit Referee(Core& core) : core_(core) {}

  /// The bytes for the hooks.
  std::string answer(const Permit& permit, const PushDialogue::Question& question, const std::string& peer);

 private:
  std::string may(const Permit& permit, const PushDialogue::Question& question);
  std::string take(const Permit& permit, const PushDialogue::Question& question);
  std::string move(const Permit& permit, const PushDialogue::Question& question, const std::string& peer);
  void note(const Permit& permit, const std::string& moved, const std::string& peer);

  Core& core_;
};

}  // namespace towline::control::git_http
