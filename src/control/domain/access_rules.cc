#include "control/domain/access_rules.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "control/config/yaml_text.h"
#include "control/store/namespace_table.h"

namespace towline::control {
namespace {

using config::ListedEntry;

/// Limit: warnings of entries of an agent's configuration that name nothing; of more only the number is told.
constexpr std::size_t kMaxWarnings = 20;

std::string_view top_of(std::string_view path) { return path.substr(0, path.find('/')); }

std::optional<std::int64_t> find(soci::session& sql, ListedEntry::Kind kind, const std::string& path) {
  if (kind == ListedEntry::Kind::kProject) {
    const auto project = ProjectTable(sql).by_path(path);
    return project ? std::optional(project->id) : std::nullopt;
  }
  const auto group = NamespaceTable(sql).by_path(path);
  return group && group->is_group() ? std::optional(group->id) : std::nullopt;
}

// "/acme/app.git/" is what people copy from elsewhere.
std::string without_ornaments(std::string_view path) {
  path = trim(path, " /");
  if (path.ends_with(".git")) path.remove_suffix(4);
  return std::string(path);
}

std::string why_nothing(soci::session& sql, const ListedEntry& entry, std::string_view top) {
  const bool project = entry.kind == ListedEntry::Kind::kProject;
  const std::string plain = without_ornaments(entry.path);
  if (lower_case(top_of(plain)) != lower_case(top)) {
    return "is not below \"" + std::string(top) + "\", where the agent's project is";
  }
  if (plain != entry.path && find(sql, entry.kind, plain)) return "is no path: write \"" + plain + "\"";
  const auto other = project ? ListedEntry::Kind::kGroup : ListedEntry::Kind::kProject;
  if (find(sql, other, plain)) {
    return project ? "is a group: list it below \"groups\"" : "is a project: list it below \"projects\"";
  }
  return project ? "is no project that exists" : "is no group that exists";
}

}  // namespace

ResolvedAccess resolve_access(soci::session& sql, const Project& project,
                              const std::vector<ListedEntry>& listed) {
  const std::string_view top = top_of(project.full_path);
  ResolvedAccess resolved;
  std::size_t more = 0;
  for (const ListedEntry& entry : listed) {
    const bool inside = lower_case(top_of(entry.path)) == lower_case(top);
    const auto id = inside ? find(sql, entry.kind, entry.path) : std::nullopt;
    if (!id && resolved.warnings.size() >= kMaxWarnings) {
      ++more;
      continue;
    }
    if (!id) {
      resolved.warnings.push_back(
          {entry.place, entry.name + ": \"" + config::shown(entry.path) + "\" " +
                            why_nothing(sql, entry, top) +
                            "; it gives nothing, also if that is made later: then change this file again"});
      continue;
    }
    const AccessRule rule{
        entry.section == ListedEntry::Section::kUserAccess ? AccessRule::Section::kUserAccess
                                                           : AccessRule::Section::kCiAccess,
        entry.kind == ListedEntry::Kind::kProject ? AccessRule::Kind::kProject : AccessRule::Kind::kGroup,
        *id};
    const bool known = std::find(resolved.rules.begin(), resolved.rules.end(), rule) != resolved.rules.end();
    if (!known) resolved.rules.push_back(rule);
  }
  if (more > 0) resolved.warnings.push_back({{}, std::to_string(more) + " more entries give nothing"});
  return resolved;
}

}  // namespace towline::control
