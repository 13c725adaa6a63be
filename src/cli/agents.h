#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>

#include "cli/api_client.h"
#include "cli/environment.h"

namespace towline::cli {

/// Adds -R, --repo to a command; its value goes to `repo`.
void add_repo_option(CLI::App* command, std::string& repo);

/// The server and one project of it, which agents belong to.
class Project {
 public:
  /// Of `repo` when it is given, else of the Git checkout that the process runs in.
  static Result<Project> open(const Environment& environment, const std::string& repo);

  ApiClient& api() { return *api_; }
  const std::string& path() const { return path_; }
  /// "/projects/<path>/cluster_agents" and what comes below it.
  std::string agents() const { return project_resource(path_) + "/cluster_agents"; }

  /// The agent with this name, else the one with this number.
  Result<boost::json::object> find_agent(const std::string& name_or_id);

 private:
  Project(Login login, std::string path)
      : api_(std::make_unique<ApiClient>(std::move(login))), path_(std::move(path)) {}
  std::unique_ptr<ApiClient> api_;
  std::string path_;
};

/// The answer to a token made for the agent, with how to install the agent in `installation.text`.
Result<boost::json::object> create_agent_token(Project& project, const boost::json::object& agent,
                                               const std::string& name, const std::string& description);

/// The token, which is shown this once, and the installation, for people.
std::string token_text(const boost::json::object& token);

}  // namespace towline::cli
