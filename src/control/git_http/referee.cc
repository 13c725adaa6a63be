#include "control/git_http/referee.h"

#include <algorithm>

#include "control/domain/contents.h"
#include "control/domain/storage.h"
#include "control/domain/usage.h"
#include "control/git/storage_meter.h"

namespace towline::control::git_http {
namespace {

Actor actor_of(const Permit& permit) {
  return {.user_id = permit.user_id, .token_id = permit.token_id, .door = Actor::Door::kGit};
}

}  // namespace

std::string Referee::answer(const Permit& permit, const PushDialogue::Question& question,
                            const std::string& peer) {
  return question.moves ? move(permit, question, peer) : may(permit, question);
}

// What is refused as a whole leaves no objects; of the rest each reference is judged when it moves.
std::string Referee::may(const Permit& permit, const PushDialogue::Question& question) {
  if (question.commands > kMaxCommands) {
    return PushDialogue::refuse({"This push changes " + std::to_string(question.commands) +
                                 " references; the limit is " + std::to_string(kMaxCommands) +
                                 " a push (max_commands): push them in parts."});
  }
  const std::vector<Status> verdicts =
      Contents(core_).would_move(actor_of(permit), permit.project, question.changes);
  std::vector<std::string> messages;
  for (const Status& verdict : verdicts) {
    if (verdict.ok()) return take(permit, question);
    if (std::find(messages.begin(), messages.end(), verdict.message()) == messages.end())
      messages.push_back(verdict.message());
  }
  constexpr std::size_t kMaxMessages = 20;
  if (messages.size() > kMaxMessages) messages.resize(kMaxMessages);
  return PushDialogue::refuse(messages);
}

std::string Referee::take(const Permit& permit, const PushDialogue::Question& question) {
  if (question.quarantine.empty()) return PushDialogue::allow();
  const std::uint64_t bytes = git::StorageMeter::measure(question.quarantine);
  const Status status = take_storage(core_, permit.project, bytes);
  return status.ok() ? PushDialogue::allow() : PushDialogue::refuse({status.message()});
}

std::string Referee::move(const Permit& permit, const PushDialogue::Question& question,
                          const std::string& peer) {
  if (question.commands > kMaxCommands) return {};  // may() has refused it
  const std::vector<Status> verdicts =
      Contents(core_).move_as(actor_of(permit), permit.project, question.changes, question.atomic);
  std::string moved;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i].ok()) moved += " " + question.changes[i].name;
  }
  if (!moved.empty()) note(permit, moved, peer);
  return PushDialogue::report(question.changes, verdicts);
}

void Referee::note(const Permit& permit, const std::string& moved, const std::string& peer) {
  constexpr std::size_t kMaxTarget = 1000;
  std::string target = permit.project.full_path + ":" + moved;
  if (target.size() > kMaxTarget) target.replace(kMaxTarget, std::string::npos, "...");
  core_.usage.audit({.user_id = permit.user_id,
                     .username = permit.username,
                     .action = "git push",
                     .target = std::move(target)},
                    peer);
}

}  // namespace towline::control::git_http
