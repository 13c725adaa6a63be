#include "control/git_http/push_dialogue.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace towline::control::git_http {
namespace {

constexpr std::size_t kIdSize = 40;
// A packet's length has four digits; a line holds the same as a packet.
constexpr std::size_t kMaxPacket = 0xffff;

std::unexpected<Status> nonsense(const std::string& what) {
  return fail(Code::kInvalidArgument, "the hooks of a push sent " + what);
}

// What a terminal may be shown, on one line.
std::string shown(std::string_view text) {
  constexpr std::size_t kMaxShown = 1000;
  std::string line(text.substr(0, kMaxShown));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

std::string packet(const std::string& payload) {
  constexpr char kDigits[] = "0123456789abcdef";
  const std::size_t size = payload.size() + 4;
  std::string text(4, '0');
  for (std::size_t i = 0; i < 4; ++i) text[3 - i] = kDigits[(size >> (4 * i)) & 15];
  return text + payload;
}

constexpr std::string_view kFlush = "0000";

}  // namespace

Result<std::optional<PushDialogue::Question>> PushDialogue::take(std::string_view bytes, std::string& reply) {
  held_ += bytes;
  std::string_view rest = held_;
  std::optional<Question> asked;
  while (!asked) {
    Result<std::optional<Question>> next = std::nullopt;
    if (state_ == State::kGreeting || state_ == State::kLines) {
      const auto end = rest.find('\n');
      if (end == std::string_view::npos) break;
      next = take_line(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    } else {
      if (rest.size() < 4) break;
      std::size_t size = 0;
      const auto [stop, error] = std::from_chars(rest.data(), rest.data() + 4, size, 16);
      if (error != std::errc() || stop != rest.data() + 4 || (size != 0 && size < 4))
        return nonsense("a packet of no length");
      if (rest.size() < size) break;
      next = take_packet(size == 0 ? std::nullopt : std::optional(rest.substr(4, size - 4)), reply);
      rest.remove_prefix(std::max<std::size_t>(size, 4));
    }
    if (!next) return fail(next.error());
    asked = std::move(*next);
  }
  held_.erase(0, held_.size() - rest.size());
  if (held_.size() > kMaxPacket) return nonsense("too much at once");
  return asked;
}

Result<std::optional<PushDialogue::Question>> PushDialogue::take_line(std::string_view line) {
  constexpr std::string_view kPreReceive = "pre-receive ";
  if (state_ == State::kLines) {
    if (line.empty()) return conclude();
    if (Status status = add_command(line); !status.ok()) return fail(status);
    return std::nullopt;
  }
  if (line.starts_with(kPreReceive)) {
    question_.quarantine = line.substr(kPreReceive.size());
    state_ = State::kLines;
    return std::nullopt;
  }
  if (line != "proc-receive") return nonsense("an unknown greeting");
  question_.moves = true;
  state_ = State::kVersion;
  return std::nullopt;
}

Result<std::optional<PushDialogue::Question>> PushDialogue::take_packet(
    std::optional<std::string_view> payload, std::string& reply) {
  if (state_ == State::kVersion) {
    if (!payload) {
      reply += packet(std::string("version=1\0atomic\n", 17)) + std::string(kFlush);
      state_ = State::kCommands;
      return std::nullopt;
    }
    if (!payload->starts_with("version=1")) return nonsense("an unknown version");
    const auto features = payload->substr(std::min(payload->size(), payload->find('\0')));
    question_.atomic = features.find("atomic") != std::string_view::npos;
    return std::nullopt;
  }
  if (!payload) return conclude();
  while (payload->ends_with('\n')) payload->remove_suffix(1);
  if (Status status = add_command(*payload); !status.ok()) return fail(status);
  return std::nullopt;
}

Status PushDialogue::add_command(std::string_view command) {
  const auto before = git::ObjectId::parse(command.substr(0, kIdSize));
  const std::string_view rest = command.substr(std::min(command.size(), kIdSize + 1));
  const auto after = git::ObjectId::parse(rest.substr(0, kIdSize));
  if (!before || !after || rest.size() < kIdSize + 2 || command[kIdSize] != ' ' || rest[kIdSize] != ' ')
    return {Code::kInvalidArgument, "the hooks of a push sent no command"};
  if (++question_.commands > kMaxCommands) return {};
  question_.changes.push_back(
      {.name = std::string(rest.substr(kIdSize + 1)), .before = *before, .after = *after});
  return {};
}

PushDialogue::Question PushDialogue::conclude() {
  state_ = State::kGreeting;
  return std::exchange(question_, {});
}

std::string PushDialogue::allow() { return "accepted\n"; }

std::string PushDialogue::refuse(const std::vector<std::string>& messages) {
  std::string text;
  for (const std::string& message : messages) text += "say " + shown(message) + "\n";
  return text + "refused\n";
}

std::string PushDialogue::report(const std::vector<git::ReferenceChange>& changes,
                                 const std::vector<Status>& verdicts) {
  std::string text;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    text += verdicts[i].ok() ? packet("ok " + changes[i].name + "\n")
                             : packet("ng " + changes[i].name + " " + shown(verdicts[i].message()) + "\n");
  }
  return text + std::string(kFlush);
}

}  // namespace towline::control::git_http
