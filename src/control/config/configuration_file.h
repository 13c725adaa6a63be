#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/yaml_tree.h"

namespace gitlab::agent::agentcfg {
class ConfigurationFile;
}

namespace towline::control::config {

/// Limit: projects, and groups, that one section of an agent's configuration file lists, which is the
/// protocol's; more is a fault.
inline constexpr std::size_t kMaxEntries = 500;
/// Limit: bytes of an agent's configuration file; more is a fault.
inline constexpr std::size_t kMaxFileBytes = 128 * 1024;

/// ".gitlab/agents/<name>/config.yaml".
std::string configuration_path(const std::string& agent_name);

inline constexpr std::string_view kFileName = "config.yaml";
/// A name of a folder or file as it should have been written by those who do not know the rules for names of
/// agents, and that the file does not end with ".yml".
std::string plain_name(std::string_view name);

/// A project or group that a section names by its path. What the path means is the domain's to say.
struct ListedEntry {
  enum class Section { kUserAccess, kCiAccess };
  enum class Kind { kProject, kGroup };
  Section section = Section::kUserAccess;
  Kind kind = Kind::kProject;
  std::string path;
  Place place;
  std::string name;  // "user_access.projects[0].id", for messages
};

struct ParsedConfiguration {
  std::shared_ptr<const gitlab::agent::agentcfg::ConfigurationFile> file;
  /// What has no effect here, or not the one that was meant. The file is in force all the same.
  std::vector<Fault> warnings;
  /// In the file's order.
  std::vector<ListedEntry> listed;
};

/// Reads an agent's configuration file; a blank one is the default configuration. Strict: a value of the
/// wrong type is a fault, never guessed at. Gives all faults of the first kind that stopped it, at most 20,
/// in the file's order.
std::expected<ParsedConfiguration, std::vector<Fault>> parse_configuration(const std::string& text);

}  // namespace towline::control::config
