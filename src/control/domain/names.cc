#include "control/domain/names.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace towline::control {
namespace {

constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxPath = 255;

// First parts of addresses that are not namespaces.
constexpr std::array<std::string_view, 22> kReserved = {
    "admin",    "api",    "assets",    "charts",     "dashboard", "explore", "favicon.ico", "graphql",
    "groups",   "health", "help",      "k8s-proxy",  "liveness",  "login",   "metrics",     "oauth",
    "projects", "public", "readiness", "robots.txt", "search",    "users"};

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool letter_or_digit(char c) { return lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

Status refuse(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

}  // namespace

Status check_agent_name(std::string_view name) {
  if (name.empty()) return refuse("name is empty: an agent's name has 1 to 63 characters");
  if (name.size() > kMaxLabel) {
    return refuse("name has " + std::to_string(name.size()) + " characters: an agent's name has 63 at most");
  }
  const auto bad =
      std::find_if_not(name.begin(), name.end(), [](char c) { return lower_or_digit(c) || c == '-'; });
  if (bad != name.end()) {
    const bool upper = *bad >= 'A' && *bad <= 'Z';
    return refuse(upper ? "name has an upper-case letter: only a-z, 0-9 and '-' are allowed"
                        : "name has a character other than a-z, 0-9 and '-'");
  }
  if (name.front() == '-') return refuse("name starts with '-': it must start with a letter or a digit");
  if (name.back() == '-') return refuse("name ends with '-': it must end with a letter or a digit");
  return {};
}

Status check_path(std::string_view path) {
  if (path.empty()) return refuse("path is empty");
  if (path.size() > kMaxPath) return refuse("path is too long (maximum is 255 characters)");
  const bool allowed = std::all_of(path.begin(), path.end(), [](char c) {
    return letter_or_digit(c) || c == '_' || c == '-' || c == '.';
  });
  if (!allowed) return refuse("path can contain only letters, digits, '_', '-' and '.'");
  if (path.front() == '-' || path.front() == '.') return refuse("path must not start with '-' or '.'");
  if (path.back() == '.') return refuse("path must not end with '.'");
  const std::string lower = lower_case(path);
  if (lower.ends_with(".git") || lower.ends_with(".atom"))
    return refuse("path must not end with .git or .atom");
  return {};
}

Status check_top_level_path(std::string_view path) {
  if (std::find(kReserved.begin(), kReserved.end(), lower_case(path)) != kReserved.end()) {
    return refuse("path \"" + std::string(path) + "\" is a reserved name");
  }
  return check_path(path);
}

std::string path_from_name(std::string_view name) {
  std::string path;
  for (const char c : lower_case(name)) {
    if (letter_or_digit(c) || c == '_' || c == '.') {
      path.push_back(c);
    } else if (!path.empty() && path.back() != '-') {
      path.push_back('-');
    }
  }
  while (!path.empty() && (path.back() == '-' || path.back() == '.')) path.pop_back();
  while (!path.empty() && path.front() == '.') path.erase(0, 1);
  return path;
}

}  // namespace towline::control
