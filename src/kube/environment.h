#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "kube/config.h"
#include "kube/tls_source.h"

namespace towline::kube {

/// What a configuration takes from outside its files. Tests make their own.
struct Environment {
  std::map<std::string, std::string, std::less<>> variables;
  /// Where Kubernetes puts a pod's token, CA and namespace.
  std::string service_account_folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  TlsFactory make_tls;
  /// Plugins may ask a person or a cloud; longer than this and nobody waits for the answer any more.
  std::chrono::milliseconds exec_limit{60'000};

  /// Empty when unset.
  std::string variable(std::string_view name) const {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  }
};

/// The process's own: the one place where it is looked at.
Environment process_environment();

/// load_config with the world passed in.
Result<ClusterConfig> load_config(const Overrides& overrides, io::WorkerPool& workers,
                                  const Environment& environment);

}  // namespace towline::kube
