#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "kube/config.h"

namespace towline::agentk {

/// The pod that the program runs in, as the chart's environment variables name it.
struct PodIdentity {
  std::string namespace_;  // POD_NAMESPACE
  std::string name;        // POD_NAME

  static PodIdentity from_environment();
  bool known() const { return !namespace_.empty() && !name.empty(); }
};

enum class Command { kRun, kDoctor };

/// agentk's command line and environment.
struct Flags {
  Command command = Command::kRun;
  bool doctor_json = false;
  std::string kas_address;
  std::string token_file;
  std::string kas_ca_cert_file;
  std::vector<std::string> kas_headers;  // "Name: value"
  bool kas_insecure_skip_tls_verify = false;
  std::string kas_tls_server_name;
  std::string observability_listen_network = "tcp";
  std::string observability_listen_address = ":8080";
  std::string observability_cert_file;
  std::string observability_key_file;
  std::string log_level = "info";
  std::size_t max_streams = 10'000;
  int shutdown_timeout_seconds = 60;
  int startup_timeout_seconds = 0;  // 0: none
  bool allow_core_dumps = false;
  std::string termination_log = "/dev/termination-log";
  kube::Overrides kube;
};

/// Parses the arguments; prints help or what is wrong and ends the program where that is due: `exit_code` is
/// then set.
struct ParsedFlags {
  Flags flags;
  int exit_code = -1;  // 0 or more: end the program
};
ParsedFlags parse_flags(int argc, const char* const* argv);

/// The agent's token: the file's contents without surrounding white space, or AGENTK_TOKEN.
Result<Secret> read_token(const Flags& flags);

}  // namespace towline::agentk
