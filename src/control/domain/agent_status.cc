#include "control/domain/agent_status.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>

namespace towline::control {
namespace {

struct Version {
  int major = 0;
  int minor = 0;
};

// "v17.1.0-rc1" as 17.1 (https://semver.org).
std::optional<Version> parse(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  Version version;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, version.major);
  if (error != std::errc() || at == end || *at != '.') return std::nullopt;
  if (std::from_chars(at + 1, end, version.minor).ec != std::errc()) return std::nullopt;
  return version;
}

}  // namespace

std::string version_warning(const std::string& server, const std::string& agent) {
  const auto ours = parse(server);
  const auto theirs = parse(agent);
  if (!ours || !theirs) return "";
  if (ours->major == theirs->major && std::abs(ours->minor - theirs->minor) <= 1) return "";
  const bool older =
      theirs->major < ours->major || (theirs->major == ours->major && theirs->minor < ours->minor);
  return "The agent has version " + agent + " and the server " + server + ": " +
         (older ? "upgrade the agent" : "upgrade the server, or take an older agent") +
         " to the same major.minor.";
}

AgentStatus status_of(const AgentRecord& agent, const std::vector<AgentConnection>& connections,
                      const std::string& server_version) {
  AgentStatus status;
  status.connections = connections.size();
  status.state = !connections.empty()         ? "connected"
                 : agent.last_contact_at != 0 ? "disconnected"
                                              : "never_connected";
  std::set<std::string> versions;
  for (const AgentConnection& connection : connections) {
    if (!connection.version.empty()) versions.insert(connection.version);
  }
  if (connections.empty() && !agent.last_version.empty()) versions.insert(agent.last_version);
  status.versions.assign(versions.begin(), versions.end());
  if (versions.size() > 1) {
    status.warnings.push_back({"versions_differ", "The pods of this agent run different versions."});
  }
  for (const std::string& version : status.versions) {
    const std::string warning = version_warning(server_version, version);
    if (!warning.empty()) status.warnings.push_back({"version_mismatch", warning});
  }
  return status;
}

}  // namespace towline::control
