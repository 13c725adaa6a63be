#include <boost/json.hpp>

#include "control/api/respond.h"
#include "control/domain/contents.h"
#include "control/domain/projects.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

json::object render_found(Context& context, const FoundProject& found) {
  json::object out = render(context.core, found.project, found.space);
  auto repository = Contents(context.core).open(found.project, context.request.interrupt);
  const bool empty = !repository || !repository->has_branches().value_or(false);
  out["empty_repo"] = empty;
  if (empty) out["default_branch"] = found.project.default_branch;
  json::value access = nullptr;
  if (found.role != Role::kNone) access = json::object{{"access_level", static_cast<int>(found.role)}};
  out["permissions"] = json::object{{"project_access", access}, {"group_access", nullptr}};
  return out;
}

Result<http::Response> get_project(Context& context) {
  auto found = find_project(context, Role::kNone);
  if (!found) return fail(found.error());
  return json_response(200, render_found(context, *found));
}

Result<http::Response> list(Context& context, ProjectTable::Filter filter) {
  Params& params = context.params;
  filter.viewer = context.viewer();
  filter.search = params.text_or("search", "");
  filter.member_only = params.flag("membership") || params.flag("owned");
  filter.ascending = params.text_or("sort", "desc") == "asc";
  const Page page = params.page();
  if (Status status = params.check(); !status.ok()) return fail(status);
  std::vector<Namespace> spaces;
  auto projects = context.core.db.read([&](soci::session& sql) {
    auto listed = ProjectTable(sql).list(filter, page);
    for (const Project& project : listed.items) {
      spaces.push_back(NamespaceTable(sql).by_id(project.namespace_id).value_or(Namespace{}));
    }
    return listed;
  });
  if (!projects) return fail(projects.error());
  json::array items;
  for (std::size_t i = 0; i < projects->items.size(); ++i) {
    items.emplace_back(render(context.core, projects->items[i], spaces[i]));
  }
  return list_response(context, page, projects->total, std::move(items));
}

Result<http::Response> list_projects(Context& context) { return list(context, {}); }

Result<http::Response> list_group_projects(Context& context) {
  auto group = find_group(context, Role::kNone);
  if (!group) return fail(group.error());
  return list(context, {.namespace_id = group->group.id,
                        .include_subgroups = context.params.flag("include_subgroups")});
}

Status add_readme(Context& context, const Project& project) {
  const git::Signature by{context.user().name, context.user().email, context.core.now()};
  git::CommitRequest request{
      .branch = project.default_branch,
      .message = "Initial commit",
      .author = by,
      .committer = by,
      .changes = {
          {.kind = git::Change::Kind::kCreate, .path = "README.md", .content = "# " + project.name + "\n"}}};
  auto made = Contents(context.core).commit_as(Actor::of(*context.caller), project, request);
  return made ? Status() : made.error();
}

Result<http::Response> create_project(Context& context) {
  Params& params = context.params;
  NewProject wanted{.namespace_id = params.number_or("namespace_id", 0),
                    .name = params.text_or("name", ""),
                    .path = params.text_or("path", ""),
                    .description = params.text_or("description", ""),
                    .visibility = params.text_or("visibility", "private"),
                    .default_branch = params.text_or("default_branch", "main")};
  if (wanted.name.empty() && wanted.path.empty())
    params.refuse("name, path are missing, at least one is needed");
  if (wanted.name.empty()) wanted.name = wanted.path;
  const bool readme = params.flag("initialize_with_readme");
  if (Status status = params.check(); !status.ok()) return fail(status);
  auto project = Projects(context.core).create(context.user(), wanted);
  if (!project) return fail(project.error());
  if (readme) {
    if (Status status = add_readme(context, *project); !status.ok()) return fail(status);
  }
  context.named["id"] = std::to_string(project->id);
  auto found = find_project(context, Role::kNone);
  if (!found) return fail(found.error());
  return json_response(201, render_found(context, *found));
}

Result<http::Response> update_project(Context& context) {
  auto found = find_project(context, Role::kMaintainer);
  if (!found) return fail(found.error());
  Project wanted = found->project;
  Params& params = context.params;
  wanted.name = params.text_or("name", wanted.name);
  wanted.path = params.text_or("path", wanted.path);
  wanted.description = params.text_or("description", wanted.description);
  wanted.visibility = params.text_or("visibility", wanted.visibility);
  wanted.default_branch = params.text_or("default_branch", wanted.default_branch);
  if (Status status = params.check(); !status.ok()) return fail(status);
  const Actor actor = Actor::of(*context.caller);
  const std::string branch = wanted.default_branch;
  const bool other_branch = branch != found->project.default_branch;
  if (other_branch) {
    if (Status status = Contents(context.core).may_set_default_branch(actor, wanted, branch); !status.ok())
      return fail(status);
  }
  auto updated = Projects(context.core).update(wanted);
  if (!updated) return fail(updated.error());
  found->project = std::move(*updated);
  if (other_branch) {
    if (Status status = Contents(context.core).set_default_branch(actor, found->project, branch);
        !status.ok())
      return fail(status);
    found->project.default_branch = branch;
  }
  return json_response(200, render_found(context, *found));
}

Result<http::Response> delete_project(Context& context) {
  auto found = find_project(context, Role::kOwner);
  if (!found) return fail(found.error());
  if (Status status = Projects(context.core).remove(found->project); !status.ok()) return fail(status);
  return json_response(202, json::object{{"message", "202 Accepted"}});
}

constexpr Route kRoutes[] = {
    {"GET", "/projects", list_projects, Need::kNobody, "Projects that the caller may see",
     "search membership:boolean owned:boolean sort page:integer per_page:integer"},
    {"POST", "/projects", create_project, Need::kUser, "Make a project",
     "name path namespace_id:integer description visibility default_branch initialize_with_readme:boolean"},
    {"GET", "/projects/:id", get_project, Need::kNobody, "A project"},
    {"PUT", "/projects/:id", update_project, Need::kUser, "Change a project",
     "name path description visibility default_branch"},
    {"DELETE", "/projects/:id", delete_project, Need::kUser,
     "Delete a project with its repository and agents"},
    {"GET", "/groups/:id/projects", list_group_projects, Need::kNobody, "Projects of a group",
     "search include_subgroups:boolean sort page:integer per_page:integer"},
};

}  // namespace

std::span<const Route> project_routes() { return kRoutes; }

}  // namespace towline::control::api
