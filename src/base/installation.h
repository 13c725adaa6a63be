#pragma once

#include <string>
#include <vector>

namespace towline {

/// What the commands that install an agent by its Helm chart need to know. `ca_file`, as a shell is to read
/// it, names the CA of the server's certificate; empty: clients know it.
struct Installation {
  std::string agent_name;
  std::string agent_id;
  std::string server_url;   // without "/" at the end; its charts stand at /charts
  std::string kas_address;  // wss://host/-/kubernetes-agent/
  std::string version;      // 17.0.0
  std::string token;
  std::string ca_file;
  std::string image_repository;  // of agentk; empty: the chart's own
};

/// The commands for a shell, in their order; the server shows them, and the command line composes them itself
/// for servers that do not. Release and namespace are named after the agent, cut to what Helm and Kubernetes
/// take.
std::vector<std::string> installation_commands(const Installation& installation);

}  // namespace towline
