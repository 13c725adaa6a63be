#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "base/status.h"
#include "io/tls.h"
#include "kube/kubeconfig.h"

namespace towline::kube {

// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

/// What a plugin is told of the cluster when it asks for it.
struct ExecCluster {
  std::string server;
  std::string tls_server_name;
  std::string ca;      // PEM
  std::string config;  // JSON
  bool insecure_skip_tls_verify = false;
};

/// A plugin of a kubeconfig and how to run it.
struct ExecPlugin {
  ExecEntry entry;
  std::string where;                                            // names the user, for messages
  std::map<std::string, std::string, std::less<>> environment;  // the process's
  std::chrono::milliseconds limit{60'000};
};

/// What a plugin answers.
struct ExecCredential {
  Secret token;
  std::optional<io::TlsIdentity> identity;
  std::optional<Clock::WallTime> expires;
};

/// The value of KUBERNETES_EXEC_INFO; `cluster` may be null.
std::string exec_info(const std::string& api_version, const ExecCluster* cluster);

/// Reads a plugin's output. The error never quotes it.
Result<ExecCredential> parse_exec_credential(std::string_view json, const std::string& api_version);

/// The end of what a program wrote to standard error, fit for a message: one line of at most 500 bytes, with
/// `secrets` and whatever else looks like a token, a key or a password hash taken out.
std::string error_excerpt(std::string_view text, const std::vector<Secret>& secrets);

/// Runs the plugin; blocks until it ends, at most its limit. Nothing of what it writes to standard output
/// gets into the error.
Result<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const ExecCluster* cluster,
                                       std::stop_token stop);

}  // namespace towline::kube
