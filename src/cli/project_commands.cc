#include <memory>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/settings.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

struct CreateOptions {
  std::string path;
  std::string visibility;
  std::string description;
  bool readme = false;
};

void show(Program& program, const json::array& projects) {
  if (program.output().json()) return program.output().document(projects);
  std::vector<std::vector<std::string>> rows;
  for (const json::value& each : projects) {
    const json::object& project = each.as_object();
    rows.push_back({field(project, "id"), field(project, "path_with_namespace"), field(project, "visibility"),
                    field(project, "http_url_to_repo")});
  }
  program.output().table({"ID", "PATH", "VISIBILITY", "REPOSITORY"}, rows);
}

// The group's number, or null for the user's own namespace.
Result<json::value> namespace_id(ApiClient& api, const std::string& path) {
  const auto user = api.get("/user");
  if (!user) return fail(user.error());
  if (path.empty() || field(*user, "username") == path) return nullptr;
  const auto group = api.get("/groups/" + percent_encode(path));
  if (!group && group.error().code() == Code::kNotFound) {
    return fail(Code::kNotFound, "there is no group \"" + path + "\" that you may see");
  }
  if (!group) return fail(group.error());
  return group->contains("id") ? group->at("id") : json::value(nullptr);
}

Status create(Program& program, const CreateOptions& options) {
  const auto slash = options.path.rfind('/');
  const std::string name = slash == std::string::npos ? options.path : options.path.substr(slash + 1);
  if (name.empty())
    return {Code::kInvalidArgument, "PATH must end with the project's name: group/name, or name"};
  auto login = current_login(program.environment());
  if (!login) return login.error();
  ApiClient api(std::move(*login));
  const auto space = namespace_id(api, slash == std::string::npos ? "" : options.path.substr(0, slash));
  if (!space) return space.error();
  json::object body{{"name", name}, {"path", name}};
  if (!space->is_null()) body["namespace_id"] = *space;
  if (!options.visibility.empty()) body["visibility"] = options.visibility;
  if (!options.description.empty()) body["description"] = options.description;
  if (options.readme) body["initialize_with_readme"] = true;
  const auto made = api.post("/projects", body);
  if (!made) return made.error();
  if (program.output().json()) {
    program.output().document(*made);
  } else {
    program.output().line("Created the project " + field(*made, "path_with_namespace") + ": " +
                          field(*made, "web_url"));
  }
  return {};
}

Status list(Program& program, const std::string& search) {
  auto login = current_login(program.environment());
  if (!login) return login.error();
  const auto projects = ApiClient(std::move(*login))
                            .list("/projects" + (search.empty() ? "" : "?search=" + percent_encode(search)));
  if (!projects) return projects.error();
  show(program, *projects);
  return {};
}

}  // namespace

void add_project_commands(Program& program) {
  CLI::App* const project = program.add_group(&program.app(), "project", "Projects of the server");
  auto options = std::make_shared<CreateOptions>();
  CLI::App* const made = program.add_command(project, "create", "Make a project",
                                             [&program, options] { return create(program, *options); });
  made->add_option("PATH", options->path, "group/name, or name for one of your own")->required();
  made->add_option("--visibility", options->visibility, "Who may see it; the server's default is private")
      ->check(CLI::IsMember({"private", "internal", "public"}));
  made->add_option("--description", options->description, "What it is for");
  made->add_flag("--initialize-with-readme", options->readme,
                 "Begin with a commit, so that it can be cloned");
  program.add_output_option(made);

  auto search = std::make_shared<std::string>();
  CLI::App* const listed = program.add_command(project, "list", "List the projects that you may see",
                                               [&program, search] { return list(program, *search); });
  listed->add_option("--search", *search, "Only those with this in their name");
  program.add_output_option(listed);
}

}  // namespace towline::cli
