#pragma once

#include <string>
#include <vector>

#include "control/store/records.h"

namespace towline::control {

/// How an agent is, for lists and pages.
struct AgentStatus {
  std::string state;                  // "connected", "disconnected" or "never_connected"
  std::vector<std::string> versions;  // of its connected pods, each once; else the last one known
  struct Warning {
    std::string code;  // "version_mismatch" or "versions_differ"
    std::string message;
  };
  std::vector<Warning> warnings;
  std::size_t connections = 0;
};

AgentStatus status_of(const AgentRecord& agent, const std::vector<AgentConnection>& connections,
                      const std::string& server_version);

/// What is wrong with an agent of this version at a server of that one; empty when nothing is: the same
/// major.minor is right, and one minor either way is supported. A version that cannot be read is not judged.
std::string version_warning(const std::string& server, const std::string& agent);

/// What the configuration file of an agent is worth.
struct ConfigurationVerdict {
  std::string state;  // "valid", "invalid", or "absent" when there is no file or a blank one
  std::string path;
  std::string commit_id;  // of what is in force
  std::string content;    // likewise
  std::string fault;      // "path:line:column: message", one a line
  std::vector<std::string> warnings;
};

}  // namespace towline::control
