#include <memory>

#include <boost/json.hpp>

#include "cli/agents.h"
#include "cli/commands.h"
#include "cli/prompt.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string repo;
  std::string agent;
  bool yes = false;
};

Status register_agent(Program& program, const Options& options) {
  auto project = Project::open(program.environment(), options.repo);
  if (!project) return project.error();
  const std::string& name = options.agent;
  const auto agent = project->api().post(project->agents(), {{"name", name}});
  if (!agent && agent.error().code() == Code::kAlreadyExists) {
    return {Code::kAlreadyExists, agent.error().message() +
                                      ": for one more token of it, `towline cluster agent tokens create " +
                                      name + " -R " + project->path() + "`"};
  }
  if (!agent) return agent.error().with_prefix(project->path());
  auto token = create_agent_token(*project, *agent, "default", "");
  if (!token) {
    return token.error().with_prefix(
        "the agent is registered, but has no token yet (`towline cluster agent tokens create " + name + "`)");
  }
  if (program.output().json()) {
    json::object all = *agent;
    all["token"] = *token;
    program.output().document(all);
  } else {
    program.output().line("Registered the agent " + name + " of " + project->path() + ", number " +
                          field(*agent, "id") + ".");
    program.output().line(token_text(*token));
  }
  return {};
}

std::vector<std::string> row_of(const json::object& agent) {
  std::string state;
  std::string contact;
  if (const json::value* status = agent.if_contains("status"); status != nullptr && status->is_object()) {
    state = field(status->get_object(), "state");
    contact = field(status->get_object(), "last_contact_at");
  }
  return {field(agent, "id"), field(agent, "name"), state, contact, field(agent, "created_at")};
}

Status list_agents(Program& program, const Options& options) {
  auto project = Project::open(program.environment(), options.repo);
  if (!project) return project.error();
  const auto agents = project->api().list(project->agents() + "?with_status=true");
  if (!agents) return agents.error().with_prefix(project->path());
  if (program.output().json()) {
    program.output().document(*agents);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& each : *agents) {
    if (each.is_object()) rows.push_back(row_of(each.get_object()));
  }
  program.output().table({"ID", "NAME", "STATE", "LAST CONTACT", "CREATED"}, rows);
  return {};
}

Result<bool> confirmed(const std::string& what) {
  if (!at_terminal())
    return fail(Code::kInvalidArgument, "there is no terminal to ask at: give --yes to delete " + what);
  const auto answer = ask("Delete " + what + " with its tokens? It loses its connection. [y/N] ");
  if (!answer) return fail(answer.error());
  return *answer == "y" || *answer == "Y" || *answer == "yes";
}

Status delete_agent(Program& program, const Options& options) {
  auto project = Project::open(program.environment(), options.repo);
  if (!project) return project.error();
  const auto agent = project->find_agent(options.agent);
  if (!agent) return agent.error();
  const std::string what = "the agent " + field(*agent, "name") + " of " + project->path();
  const auto sure = options.yes ? Result<bool>(true) : confirmed(what);
  if (!sure) return sure.error();
  if (!*sure) return {Code::kCancelled, "nothing was deleted"};
  const Status status = project->api().remove(project->agents() + "/" + field(*agent, "id"));
  if (status.ok()) program.output().line("Deleted " + what + ".");
  return status;
}

}  // namespace

void add_agent_commands(Program& program) {
  CLI::App* const cluster = program.add_group(&program.app(), "cluster", "Clusters, which agents connect");
  CLI::App* const agent = program.add_group(cluster, "agent", "Agents of a project");

  auto made = std::make_shared<Options>();
  CLI::App* const registering =
      program.add_command(agent, "register", "Register an agent and show its token and how to install it",
                          [&program, made] { return register_agent(program, *made); });
  registering->add_option("NAME", made->agent, "1 to 63 of a-z, 0-9 and -")->required();
  add_repo_option(registering, made->repo);
  program.add_output_option(registering);

  auto listed = std::make_shared<Options>();
  CLI::App* const listing = program.add_command(agent, "list", "List the agents",
                                                [&program, listed] { return list_agents(program, *listed); });
  add_repo_option(listing, listed->repo);
  program.add_output_option(listing);

  auto gone = std::make_shared<Options>();
  CLI::App* const deleting = program.add_command(agent, "delete", "Delete an agent with its tokens",
                                                 [&program, gone] { return delete_agent(program, *gone); });
  deleting->add_option("AGENT", gone->agent, "Its name or number")->required();
  deleting->add_flag("-y,--yes", gone->yes, "Do not ask");
  add_repo_option(deleting, gone->repo);

  add_doctor_command(program, agent);
  add_agent_token_commands(program, agent);
  add_update_kubeconfig_command(program, agent);
  add_get_token_command(program, agent);
}

}  // namespace towline::cli
