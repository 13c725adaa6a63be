#include <memory>

#include <boost/json.hpp>

#include "cli/agents.h"
#include "cli/commands.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string repo;
  std::string agent;
};

void print(Output& output, const json::object& report) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> remedies;
  const json::value* const checks = report.if_contains("checks");
  if (checks == nullptr || !checks->is_array()) return;
  for (const json::value& each : checks->get_array()) {
    if (!each.is_object()) continue;
    const json::object& check = each.get_object();
    rows.push_back({field(check, "name"), field(check, "verdict"), field(check, "detail")});
    const std::string remedy = field(check, "remedy");
    if (!remedy.empty()) remedies.push_back(field(check, "name") + ": " + remedy);
  }
  output.table({"CHECK", "RESULT", "FOUND"}, rows);
  for (const std::string& each : remedies) output.line("To do for " + printable(each));
}

Status examine(Program& program, const Options& options) {
  auto project = Project::open(program.environment(), options.repo);
  if (!project) return project.error();
  const auto agent = project->find_agent(options.agent);
  if (!agent) return agent.error();
  const auto report = project->api().post(project->agents() + "/" + field(*agent, "id") + "/doctor", {});
  if (!report) return report.error().with_prefix("agent " + field(*agent, "name"));
  if (program.output().json()) {
    program.output().document(*report);
  } else {
    print(program.output(), *report);
  }
  const json::value* const healthy = report->if_contains("healthy");
  if (healthy != nullptr && healthy->is_bool() && healthy->get_bool()) return {};
  return {Code::kFailedPrecondition, "a check of the agent " + field(*agent, "name") + " has failed"};
}

}  // namespace

void add_doctor_command(Program& program, CLI::App* agent) {
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      program.add_command(agent, "doctor", "Have a connected agent check its way to server and cluster",
                          [&program, options] { return examine(program, *options); });
  command->add_option("AGENT", options->agent, "Its name or number")->required();
  add_repo_option(command, options->repo);
  program.add_output_option(command);
}

}  // namespace towline::cli
