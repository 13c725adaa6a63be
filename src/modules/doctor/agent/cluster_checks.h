#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "io/dial.h"
#include "modules/doctor/agent/server_checks.h"

namespace towline::kube {
class Client;
}

namespace towline::doctor {

/// How the agent reaches its cluster.
struct ClusterSide {
  Status problem;                  // why there is no client, if there is none
  kube::Client* client = nullptr;  // outlives the checks
  std::string address;             // "10.96.0.1:443"
  std::string credentials;         // where they come from
  std::string namespace_;          // the agent's own; empty outside a cluster
};

/// Looks at the Kubernetes API, the agent's permissions there, and Flux; the same rules.
[[nodiscard]] std::unique_ptr<io::Operation> check_cluster(io::Loop& loop, const ClusterSide& cluster,
                                                           Checked done);

}  // namespace towline::doctor
