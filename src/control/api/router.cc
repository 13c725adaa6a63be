#include "control/api/router.h"

#include <vector>

#include "base/decimal.h"
#include "base/encoding.h"

namespace towline::control::api {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  while (!path.empty()) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

using Parts = std::vector<std::string>;
using Named = std::map<std::string, std::string>;

bool match_one(std::string_view pattern, const std::string& part, Named& named) {
  if (!pattern.starts_with(':')) return pattern == part;
  named[std::string(pattern.substr(1))] = part;
  return !part.empty();
}

// Matches parts against pattern; a "*name" takes what the parts behind it in the pattern leave over.
bool match_all(const std::vector<std::string_view>& pattern, const Parts& parts, Named& named) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!pattern[i].starts_with('*')) {
      if (at == parts.size() || !match_one(pattern[i], parts[at++], named)) return false;
      continue;
    }
    const std::size_t behind = pattern.size() - i - 1;
    if (parts.size() < at + 1 + behind) return false;
    std::string joined = parts[at++];
    while (at < parts.size() - behind) joined += "/" + parts[at++];
    if (joined.empty()) return false;
    named[std::string(pattern[i].substr(1))] = std::move(joined);
  }
  return at == parts.size();
}

}  // namespace

Viewer Context::viewer() const { return caller ? Viewer{caller->user.id, caller->user.admin} : Viewer{}; }

std::int64_t Context::number(const std::string& name) const { return parse_id(part(name)).value_or(0); }

Result<Match> match(std::span<const std::span<const Route>> tables, std::string_view method,
                    std::string_view path) {
  Parts parts;
  for (const std::string_view raw : split(path)) {
    auto decoded = percent_decode(raw);
    if (!decoded) return fail(Code::kInvalidArgument, "the path is not well percent-encoded");
    parts.push_back(std::move(*decoded));
  }
  Match fallback;
  bool exists = false;
  for (const auto& table : tables) {
    for (const Route& route : table) {
      Named named;
      if (!match_all(split(route.pattern), parts, named)) continue;
      exists = true;
      if (route.method == method) return Match{&route, std::move(named)};
      const bool head_of_get = method == "HEAD" && route.method == "GET" && fallback.route == nullptr;
      if (head_of_get) fallback = {&route, std::move(named)};
    }
  }
  if (fallback.route != nullptr) return fallback;
  if (exists) return fail(Code::kUnimplemented, "405 Method Not Allowed");
  return fail(Code::kNotFound, "404 Not Found");
}

}  // namespace towline::control::api
