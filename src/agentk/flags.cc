#include "agentk/flags.h"

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/files.h"

namespace towline::agentk {
namespace {

// Kubernetes gives it to each container.
constexpr const char* kInPod = "KUBERNETES_SERVICE_HOST";
constexpr int kPodStartupTimeout = 60;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The arguments of a running agent: `kubectl exec ... -- agentk doctor` examines what the container's agent
// was started with.
std::vector<std::string> arguments_of_first_process() {
  const Result<std::string> text = read_file("/proc/1/cmdline");
  std::vector<std::string> arguments;
  std::istringstream all(text.value_or(""));
  for (std::string each; std::getline(all, each, '\0');) arguments.push_back(each);
  if (arguments.empty() || !arguments.front().ends_with("agentk")) return {};
  return arguments;
}

std::vector<std::string> complete(std::vector<std::string> arguments) {
  if (arguments.size() < 2 || arguments[1] != "doctor") return arguments;
  for (const std::string& each : arguments) {
    if (each.starts_with("--kas-address") || each == "--help" || each == "-h") return arguments;
  }
  const std::vector<std::string> running = arguments_of_first_process();
  for (std::size_t i = 1; i < running.size(); ++i) {
    if (!running[i].empty()) arguments.push_back(running[i]);
  }
  return arguments;
}

}  // namespace

PodIdentity PodIdentity::from_environment() {
  return {.namespace_ = environment("POD_NAMESPACE"), .name = environment("POD_NAME")};
}

ParsedFlags parse_flags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  CLI::App app("agentk connects a Kubernetes cluster to a Towline or GitLab agent server (kas).", "agentk");
  app.set_version_flag("--version", std::string("agentk ") + TOWLINE_VERSION);
  app.get_formatter()->column_width(44);

  app.add_option("--kas-address", flags.kas_address,
                 "Server: grpc://, grpcs://, ws:// or wss://host[:port][/path]")
      ->required();
  app.add_option("--token-file", flags.token_file, "File with the agent's token; default: $AGENTK_TOKEN");
  app.add_option("--kas-ca-cert-file,--ca-cert-file", flags.kas_ca_cert_file,
                 "PEM file with the CA of the server's certificate, beside the system's CAs");
  app.add_option("--kas-header", flags.kas_headers,
                 "Header added to what is sent to the server, 'Name: value'; repeatable")
      ->allow_extra_args(false);
  app.add_flag("--kas-insecure-skip-tls-verify", flags.kas_insecure_skip_tls_verify,
               "Do not verify the server's certificate: for tests only");
  app.add_option("--kas-tls-server-name", flags.kas_tls_server_name,
                 "Name that the server's certificate must have");
  app.add_option("--observability-listen-network", flags.observability_listen_network, "tcp")
      ->check(CLI::IsMember({"tcp", "tcp4", "tcp6"}));
  app.add_option("--observability-listen-address", flags.observability_listen_address,
                 "Address of /metrics, /liveness and /readiness")
      ->capture_default_str();
  app.add_option("--observability-cert-file", flags.observability_cert_file,
                 "PEM certificate of that address");
  app.add_option("--observability-key-file", flags.observability_key_file, "PEM key of that address");
  app.add_option("--log-level", flags.log_level,
                 "debug, info, warn or error; the configuration file overrides it")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--max-streams", flags.max_streams, "Requests that may run at once")->capture_default_str();
  app.add_option("--shutdown-timeout", flags.shutdown_timeout_seconds,
                 "Seconds that running requests have to finish after SIGTERM")
      ->capture_default_str();
  flags.startup_timeout_seconds = environment(kInPod).empty() ? 0 : kPodStartupTimeout;
  app.add_option("--startup-timeout", flags.startup_timeout_seconds,
                 "Seconds for the first connection; without one the program then says why and ends, so that "
                 "the pod shows it. 0: no limit. Default: 60 in a pod, else 0")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--allow-core-dumps", flags.allow_core_dumps,
               "Let core dumps and debuggers of the same user have this process's memory, with its secrets");
  app.add_option("--termination-log", flags.termination_log,
                 "File that is told why the program ends, where it exists")
      ->capture_default_str();

  CLI::App* const doctor = app.add_subcommand(
      "doctor",
      "Check the way to the server and to the cluster, step by step, and say what to change. Takes the same "
      "flags; without --kas-address, in a container, those of the agent that runs there");
  doctor->fallthrough();
  std::string output = "text";
  doctor->add_option("-o,--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));

  const auto group = "Kubernetes API (as kubectl has them)";
  app.add_option("--kubeconfig", flags.kube.kubeconfig, "kubeconfig file; default: in-cluster, $KUBECONFIG")
      ->group(group);
  app.add_option("--context", flags.kube.context, "Context of the kubeconfig")->group(group);
  app.add_option("--cluster", flags.kube.cluster, "Cluster of the kubeconfig")->group(group);
  app.add_option("--user", flags.kube.user, "User of the kubeconfig")->group(group);
  app.add_option("-s,--server", flags.kube.server, "Address of the API server")->group(group);
  app.add_option("--certificate-authority", flags.kube.certificate_authority, "CA file")->group(group);
  app.add_option("--client-certificate", flags.kube.client_certificate, "Client certificate file")
      ->group(group);
  app.add_option("--client-key", flags.kube.client_key, "Client key file")->group(group);
  app.add_option("--tls-server-name", flags.kube.tls_server_name, "Name in the API server's certificate")
      ->group(group);
  app.add_option("--as", flags.kube.as, "User to impersonate")->group(group);
  app.add_option("-n,--namespace", flags.kube.namespace_, "Default namespace")->group(group);
  bool insecure = false;
  CLI::Option* const insecure_flag =
      app.add_flag("--insecure-skip-tls-verify", insecure, "Do not verify the API server's certificate")
          ->group(group);

  try {
    std::vector<std::string> arguments = complete({argv, argv + argc});
    std::vector<const char*> raw;
    for (const std::string& each : arguments) raw.push_back(each.c_str());
    app.parse(static_cast<int>(raw.size()), raw.data());
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
    return parsed;
  }
  if (doctor->parsed()) flags.command = Command::kDoctor;
  flags.doctor_json = output == "json";
  if (insecure_flag->count() > 0) flags.kube.insecure_skip_tls_verify = insecure;
  return parsed;
}

Result<Secret> read_token(const Flags& flags) {
  if (flags.token_file.empty()) {
    const char* const token = std::getenv("AGENTK_TOKEN");
    if (token == nullptr || *token == '\0') {
      return fail(Code::kInvalidArgument, "no agent token: give --token-file or set AGENTK_TOKEN");
    }
    Result<std::string> secret = one_secret(token);
    if (!secret) return fail(Code::kInvalidArgument, "AGENTK_TOKEN " + secret.error().message());
    return Secret(std::move(*secret));
  }
  Result<std::string> text = read_file(flags.token_file);
  if (!text) return fail(text.error().with_prefix("--token-file"));
  Result<std::string> secret = one_secret(*text);
  if (!secret) {
    return fail(Code::kInvalidArgument, "--token-file: " + flags.token_file + " " + secret.error().message() +
                                            ": it must hold the agent's token and nothing else");
  }
  return Secret(std::move(*secret));
}

}  // namespace towline::agentk
