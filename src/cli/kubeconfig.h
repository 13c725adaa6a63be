#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace towline::cli {

/// What update-kubeconfig puts into a kubeconfig file: one cluster, one user and one context.
struct KubeconfigEntry {
  std::string cluster;
  std::string server;
  std::string ca_pem;  // empty: the system's CAs
  std::string user;
  std::string command;
  std::vector<std::string> args;
  std::string context;
  bool use_context = false;  // makes the context the current one
};

/// `existing` (a kubeconfig in YAML or JSON, may be empty) with the entry put in. Entries of the same names
/// are updated field by field, so that a context keeps its namespace; all other data stays, comments do not.
/// Fails when the context's name belongs to another cluster, and when `existing` is not a kubeconfig.
Result<std::string> merge_kubeconfig(const std::string& existing, const KubeconfigEntry& entry);

/// The file that is changed: `given`, else of $KUBECONFIG's list the first that exists (or the last), else
/// ~/.kube/config.
Result<std::string> kubeconfig_path(const std::string& given, const std::string& kubeconfig_variable,
                                    const std::string& home);

/// Merges into the file at `path`, holding the lock that kubectl takes, and writes it in one step.
Status update_kubeconfig_file(const std::string& path, const KubeconfigEntry& entry);

}  // namespace towline::cli
