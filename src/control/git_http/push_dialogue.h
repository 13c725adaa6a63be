#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "control/git/repository.h"

namespace towline::control::git_http {

/// Limit: references that one push changes; more are refused together.
inline constexpr std::size_t kMaxCommands = 1000;

/// What the hooks of one push say, and how they are answered: first pre-receive, whether the push may go on,
/// then proc-receive, what has become of each reference (githooks(5), "proc-receive"). Bytes in, bytes out.
class PushDialogue {
 public:
  struct Question {
    bool moves = false;  // else only whether they may
    bool atomic = false;
    std::vector<git::ReferenceChange> changes;
    std::size_t commands = 0;  // more than `changes` holds, when there are more than kMaxCommands
    std::string quarantine;    // the folder of the objects that came with the push; empty without any
  };

  /// Takes what the hooks have sent; gives a question once it is complete. Bytes that must go back at once
  /// are added to `reply`. INVALID_ARGUMENT for what is not this protocol: the hooks are to be left alone.
  Result<std::optional<Question>> take(std::string_view bytes, std::string& reply);

  /// Answers to the question that take() gave last. `verdicts` has one for each change.
  static std::string allow();
  static std::string refuse(const std::vector<std::string>& messages);
  static std::string report(const std::vector<git::ReferenceChange>& changes,
                            const std::vector<Status>& verdicts);

 private:
  enum class State { kGreeting, kLines, kVersion, kCommands };

  Result<std::optional<Question>> take_line(std::string_view line);
  Result<std::optional<Question>> take_packet(std::optional<std::string_view> payload, std::string& reply);
  Status add_command(std::string_view command);
  Question conclude();

  State state_ = State::kGreeting;
  std::string held_;
  Question question_;
};

}  // namespace towline::control::git_http
