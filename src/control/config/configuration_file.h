#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "control/config/yaml_tree.h"

namespace gitlab::agent::agentcfg {
class ConfigurationFile;
}

namespace towline::control::config {

/// Limits of the protocol, each for projects and for groups of one section.
inline constexpr std::size_t kMaxEntries = 500;
inline constexpr std::size_t kMaxFileBytes = 128 * 1024;

/// ".gitlab/agents/<name>/config.yaml".
std::string configuration_path(const std::string& agent_name);

struct ParsedConfiguration {
  std::shared_ptr<const gitlab::agent::agentcfg::ConfigurationFile> file;
  /// Keys that mean nothing here. The file is in force all the same.
  std::vector<Fault> warnings;
};

/// Reads an agent's configuration file; a blank one is the default configuration. Strict: a value of the
/// wrong type is a fault, never guessed at. Gives all faults of the first kind that stopped it, at most 20,
/// in the file's order.
std::expected<ParsedConfiguration, std::vector<Fault>> parse_configuration(const std::string& text);

}  // namespace towline::control::config
