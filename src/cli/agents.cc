#include "cli/agents.h"

#include <boost/json.hpp>

#include "base/installation.h"
#include "cli/git_remote.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

std::string shell_quoted(const std::string& text) {
  const char* const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@";
  if (text.find_first_not_of(plain) == std::string::npos) return text;
  std::string out = "'";
  for (const char each : text) out += each == '\'' ? std::string("'\\''") : std::string(1, each);
  return out + "'";
}

// For servers that do not give the commands themselves.
Result<json::object> compose_installation(ApiClient& api, const json::object& agent,
                                          const std::string& token) {
  const auto metadata = api.get("/metadata");
  if (!metadata) return fail(metadata.error());
  std::string address;
  if (const json::value* kas = metadata->if_contains("kas"); kas != nullptr && kas->is_object()) {
    address = field(kas->get_object(), "externalUrl");
  }
  const std::string& ca = api.login().ca_file;
  std::string text;
  for (const std::string& command : installation_commands({.agent_name = field(agent, "name"),
                                    .agent_id = field(agent, "id"),
                                    .server_url = api.login().url,
                                    .kas_address = address,
                                    .version = field(*metadata, "version"),
                                    .token = token,
                                    .ca_file = ca.empty() ? "" : shell_quoted(ca)})) {
    text += (text.empty() ? "" : "\n") + command;
  }
  return json::object{{"text", std::move(text)}};
}

}  // namespace

void add_repo_option(CLI::App* command, std::string& repo) {
  command->add_option("-R,--repo", repo,
                      "The project, group/name; default: that of the Git checkout's remote origin");
}

Result<Project> Project::open(const Environment& environment, const std::string& repo) {
  auto login = current_login(environment);
  if (!login) return fail(login.error());
  if (!repo.empty()) {
    auto path = project_path(repo);
    if (!path) return fail(path.error().with_prefix("-R"));
    return Project(std::move(*login), std::move(*path));
  }
  const auto origin = origin_url();
  if (!origin) return fail(origin.error());
  auto path = project_of_remote(*origin, login->url);
  if (!path) return fail(path.error());
  return Project(std::move(*login), std::move(*path));
}

Result<json::object> Project::find_agent(const std::string& name_or_id) {
  const auto all = api_->list(agents());
  if (!all) return fail(all.error().with_prefix(path_));
  for (const char* key : {"name", "id"}) {
    for (const json::value& each : *all) {
      if (each.is_object() && field(each.get_object(), key) == name_or_id) return each.get_object();
    }
  }
  return fail(Code::kNotFound, path_ + " has no agent \"" + name_or_id +
                                   "\": see `towline cluster agent list`, or register it first");
}

Result<json::object> create_agent_token(Project& project, const json::object& agent, const std::string& name,
                                        const std::string& description) {
  json::object body{{"name", name}};
  if (!description.empty()) body["description"] = description;
  auto token = project.api().post(project.agents() + "/" + field(agent, "id") + "/tokens", body);
  if (!token) return token;
  const json::value* installation = token->if_contains("installation");
  if (installation == nullptr || !installation->is_object()) {
    auto composed = compose_installation(project.api(), agent, field(*token, "token"));
    if (!composed) return composed;
    (*token)["installation"] = std::move(*composed);
  }
  return token;
}

std::string token_text(const json::object& token) {
  return "Its token, which is not shown again:\n\n  " + field(token, "token") +
         "\n\nTo install the agent:\n\n" + field(token.at("installation").as_object(), "text");
}

}  // namespace towline::cli
