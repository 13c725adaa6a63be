#include <filesystem>
#include <memory>

#include <boost/json.hpp>

#include "base/url.h"
#include "cli/agents.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/kubeconfig.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string repo;
  std::string agent;
  std::string kubeconfig;
  std::string context;
  std::string cache_mode = "file";
  bool use_context = false;
};

// "host" or "host-8443": what entries of this server are named after.
Result<std::string> server_name(const std::string& url) {
  const auto parsed = parse_url(url);
  if (!parsed) return fail(parsed.error());
  return parsed->host + (parsed->port_given ? "-" + std::to_string(parsed->port) : "");
}

Result<std::string> proxy_address(ApiClient& api) {
  const auto metadata = api.get("/metadata");
  if (!metadata) return fail(metadata.error());
  const json::value* kas = metadata->if_contains("kas");
  const std::string address =
      kas != nullptr && kas->is_object() ? field(kas->get_object(), "externalK8sProxyUrl") : std::string();
  if (address.empty())
    return fail(Code::kFailedPrecondition,
                "the server has no way to clusters: its metadata names no externalK8sProxyUrl");
  return address;
}

Result<KubeconfigEntry> entry_for(Project& project, const Options& options, const json::object& agent) {
  const Login& login = project.api().login();
  auto server = proxy_address(project.api());
  if (!server) return fail(server.error());
  const auto host = server_name(login.url);
  if (!host) return fail(host.error());
  auto ca = login.ca_file.empty() ? Result<std::string>("") : read_file(login.ca_file);
  if (!ca) return fail(ca.error());
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    return fail(Code::kFailedPrecondition, "cannot find where towline is installed: " + error.message());

  const std::string id = field(agent, "id");
  std::string project_name = project.path();
  for (char& each : project_name) each = each == '/' ? '-' : each;
  KubeconfigEntry entry{.cluster = "towline-" + *host,
                        .server = std::move(*server),
                        .ca_pem = std::move(*ca),
                        .user = "towline-" + *host + "-agent-" + id,
                        .command = self.string(),
                        .args = {"cluster", "agent", "get-token", "--agent", id, "--url", login.url},
                        .context = options.context,
                        .use_context = options.use_context};
  if (options.cache_mode != "file") entry.args.insert(entry.args.end(), {"--cache-mode", options.cache_mode});
  if (entry.context.empty())
    entry.context = "towline-" + *host + "-" + project_name + "-" + field(agent, "name");
  return entry;
}

Status update(Program& program, const Options& options) {
  const Environment& environment = program.environment();
  const auto path =
      kubeconfig_path(options.kubeconfig, environment.get("KUBECONFIG"), environment.get("HOME"));
  if (!path) return path.error();
  auto project = Project::open(environment, options.repo);
  if (!project) return project.error();
  const auto agent = project->find_agent(options.agent);
  if (!agent) return agent.error();
  const auto entry = entry_for(*project, options, *agent);
  if (!entry) return entry.error();
  if (Status status = update_kubeconfig_file(*path, *entry); !status.ok()) return status;
  program.output().line("Updated " + *path + ": the context " + entry->context +
                        " reaches the cluster of the agent " + field(*agent, "name") + ".");
  if (!options.use_context) {
    program.output().line("Try it with: kubectl --context " + entry->context + " get namespaces");
  }
  return {};
}

}  // namespace

void add_update_kubeconfig_command(Program& program, CLI::App* agent) {
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      program.add_command(agent, "update-kubeconfig", "Let kubectl reach an agent's cluster",
                          [&program, options] { return update(program, *options); });
  command->add_option("--agent", options->agent, "The agent's name or number")->required();
  add_repo_option(command, options->repo);
  command->add_flag("--use-context", options->use_context, "Make the context the current one");
  command->add_option("--kubeconfig", options->kubeconfig, "The file; default: $KUBECONFIG, ~/.kube/config")
      ->type_name("FILE");
  command->add_option("--context", options->context,
                      "Name of the context; default: after server, project and agent");
  command
      ->add_option("--cache-mode", options->cache_mode,
                   "Whether kubectl's token is kept in a file until it ends, or made anew each time")
      ->check(CLI::IsMember({"file", "no"}))
      ->capture_default_str();
}

}  // namespace towline::cli
