#include <memory>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "cli/agents.h"
#include "cli/commands.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string repo;
  std::string agent;
  std::string name = "default";
  std::string description;
  std::string id;
};

// The agent's place in the API, and who it is.
struct Found {
  Project project;
  json::object agent;
  std::string tokens() const { return project.agents() + "/" + field(agent, "id") + "/tokens"; }
};

Result<Found> find(Program& program, const Options& options) {
  auto project = Project::open(program.environment(), options.repo);
  if (!project) return fail(project.error());
  auto agent = project->find_agent(options.agent);
  if (!agent) return fail(agent.error());
  return Found{std::move(*project), std::move(*agent)};
}

Status list(Program& program, const Options& options) {
  auto found = find(program, options);
  if (!found) return found.error();
  const auto tokens = found->project.api().list(found->tokens());
  if (!tokens) return tokens.error();
  if (program.output().json()) {
    program.output().document(*tokens);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& each : *tokens) {
    if (!each.is_object()) continue;
    const json::object& token = each.get_object();
    rows.push_back(
        {field(token, "id"), field(token, "name"), field(token, "created_at"), field(token, "description")});
  }
  program.output().table({"ID", "NAME", "CREATED", "DESCRIPTION"}, rows);
  return {};
}

Status create(Program& program, const Options& options) {
  auto found = find(program, options);
  if (!found) return found.error();
  const auto token = create_agent_token(found->project, found->agent, options.name, options.description);
  if (!token) return token.error();
  if (program.output().json()) {
    program.output().document(*token);
  } else {
    program.output().line("Made token number " + field(*token, "id") + " of the agent " +
                          field(found->agent, "name") + ".");
    program.output().line(token_text(*token));
  }
  return {};
}

Status revoke(Program& program, const Options& options) {
  auto found = find(program, options);
  if (!found) return found.error();
  const Status status = found->project.api().remove(found->tokens() + "/" + percent_encode(options.id));
  if (!status.ok()) return status.with_prefix("token " + options.id);
  program.output().line("Revoked token number " + options.id + " of the agent " +
                        field(found->agent, "name") + "; agents that use it lose their connection.");
  return {};
}

}  // namespace

void add_agent_token_commands(Program& program, CLI::App* agent) {
  CLI::App* const tokens = program.add_group(agent, "tokens", "Tokens of an agent, at most two at a time");
  const auto add = [&](const char* name, const char* description,
                       Status (*action)(Program&, const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* const command = program.add_command(
        tokens, name, description, [&program, options, action] { return action(program, *options); });
    command->add_option("AGENT", options->agent, "Its name or number")->required();
    add_repo_option(command, options->repo);
    return std::pair(command, options);
  };
  program.add_output_option(add("list", "List an agent's tokens", list).first);

  const auto [creating, made] = add("create", "Make a token and show it, once", create);
  creating->add_option("--name", made->name, "What it is called")->capture_default_str();
  creating->add_option("--description", made->description, "What it is for");
  program.add_output_option(creating);

  const auto [revoking, gone] = add("revoke", "Revoke a token", revoke);
  revoking->add_option("TOKEN_ID", gone->id, "The token's number")->required()->check(record_number());
}

}  // namespace towline::cli
