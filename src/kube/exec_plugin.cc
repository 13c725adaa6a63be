#include "kube/exec_plugin.h"

#include <algorithm>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "kube/process.h"

namespace towline::kube {
namespace {

/// Limit: characters of a credential plugin's error that are repeated; the rest is cut off.
constexpr std::size_t kMaxExcerpt = 500;
constexpr std::string_view kRedacted = "[redacted]";
// Shorter ones are words, and taking them out would make messages useless.
constexpr std::size_t kMinSecret = 6;
constexpr std::size_t kMinTokenLike = 20;
constexpr std::size_t kMinHexSecret = 32;

bool in(char c, char low, char high) { return c >= low && c <= high; }

/// Characters of base64, base64url and hexadecimal. Not '.' and '/', which also part names and paths, and in
/// tokens part pieces that are long enough by themselves.
bool token_character(char c) {
  return in(c, 'a', 'z') || in(c, 'A', 'Z') || in(c, '0', '9') || c == '_' || c == '-' || c == '+' ||
         c == '=' || c == '~';
}

bool looks_secret(std::string_view run) {
  const bool upper = std::ranges::any_of(run, [](char c) { return in(c, 'A', 'Z'); });
  const bool lower = std::ranges::any_of(run, [](char c) { return in(c, 'a', 'z'); });
  const bool digit = std::ranges::any_of(run, [](char c) { return in(c, '0', '9'); });
  const bool hex =
      std::ranges::all_of(run, [](char c) { return in(c, '0', '9') || in(c, 'a', 'f') || in(c, 'A', 'F'); });
  return (run.size() >= kMinTokenLike && upper && lower && digit) || (run.size() >= kMinHexSecret && hex);
}

void replace_all(std::string& text, std::string_view what) {
  if (what.size() < kMinSecret) return;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + kRedacted.size())) {
    text.replace(at, what.size(), kRedacted);
  }
}

std::string without_token_like(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto end = std::ranges::find_if_not(text, token_character);
    const auto length = static_cast<std::size_t>(end - text.begin());
    const std::string_view run = text.substr(0, length);
    result += looks_secret(run) ? kRedacted : run;
    if (length < text.size()) result += text[length];
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return result;
}

/// Control characters become one space; what is not ASCII stays, as messages are UTF-8.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

bool executable(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

/// The command's path, looked for in $PATH as a shell does; empty when there is none.
std::string find_command(const ExecPlugin& plugin) {
  const std::string& command = plugin.entry.command;
  if (command.find('/') != std::string::npos) return executable(command) ? command : std::string();
  const auto variable = plugin.environment.find("PATH");
  if (variable == plugin.environment.end()) return {};
  std::string_view folders = variable->second;
  while (!folders.empty()) {
    const auto end = std::min(folders.find(':'), folders.size());
    // An empty or relative entry means the working folder, from which nobody means to run plugins.
    if (folders.starts_with('/')) {
      std::string path = std::string(folders.substr(0, end)) + "/" + command;
      if (executable(path)) return path;
    }
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return {};
}

ProcessSpec process_of(const ExecPlugin& plugin, std::string file, const ExecCluster* cluster) {
  auto variables = plugin.environment;
  for (const auto& [name, value] : plugin.entry.env) variables[name] = value.reveal();
  variables["KUBERNETES_EXEC_INFO"] = exec_info(plugin.entry.api_version, cluster);
  ProcessSpec spec{std::move(file), plugin.entry.args, {}};
  for (const auto& [name, value] : variables) spec.environment.push_back(name + "=" + value);
  return spec;
}

std::string ending(const ProcessResult& result, const ExecPlugin& plugin) {
  using End = ProcessResult::End;
  switch (result.end) {
    case End::kExited:
      return "exit status " + std::to_string(result.number);
    case End::kSignalled:
      return "killed by signal " + std::to_string(result.number);
    case End::kTimeout:
      return "no end after " + std::to_string(plugin.limit.count()) + " ms, killed";
    case End::kTooMuchOutput:
      return "more output than 1 MiB, killed";
    case End::kStopped:
      return "stopped";
  }
  return "";
}

std::string excerpt_of(const ProcessResult& result, const ExecPlugin& plugin) {
  std::vector<Secret> secrets;
  for (const auto& [name, value] : plugin.entry.env) secrets.push_back(value);
  if (const auto credential = parse_exec_credential(result.output.reveal(), plugin.entry.api_version)) {
    secrets.push_back(credential->token);
  }
  return error_excerpt(result.errors, secrets);
}

}  // namespace

std::string error_excerpt(std::string_view text, const std::vector<Secret>& secrets) {
  std::string line(text);
  for (const Secret& secret : secrets) replace_all(line, secret.reveal());
  line = one_line(without_token_like(line));
  if (line.size() <= kMaxExcerpt) return line;
  constexpr std::string_view kCut = "...";
  std::size_t begin = line.size() - (kMaxExcerpt - kCut.size());
  // Not in the middle of a UTF-8 sequence.
  while (begin < line.size() && (static_cast<unsigned char>(line[begin]) & 0xc0) == 0x80) ++begin;
  return std::string(kCut) + line.substr(begin);
}

Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const ExecCluster* cluster,
                                       std::stop_token stop) {
  const std::string place = plugin.where + ": exec " + plugin.entry.command;
  std::string file = find_command(plugin);
  if (file.empty()) {
    std::string message = place + ": no such executable";
    if (plugin.entry.command.find('/') == std::string::npos) message += " in $PATH";
    const std::string hint = one_line(plugin.entry.install_hint).substr(0, kMaxExcerpt);
    return fail(Code::kUnauthenticated, message + (hint.empty() ? "" : "; " + hint));
  }
  ProcessLimits limits;
  limits.time = plugin.limit;
  const auto result = run_process(process_of(plugin, std::move(file), cluster), limits, std::move(stop));
  if (!result) return fail(result.error().with_prefix(place));
  const bool succeeded = result->end == ProcessResult::End::kExited && result->number == 0;
  std::string why = ending(*result, plugin);
  if (succeeded) {
    auto credential = parse_exec_credential(result->output.reveal(), plugin.entry.api_version);
    if (credential) return credential;
    why = credential.error().message();
  }
  const std::string excerpt = excerpt_of(*result, plugin);
  return fail(Code::kUnauthenticated, place + ": " + why + (excerpt.empty() ? "" : ": " + excerpt));
}

}  // namespace towline::kube
