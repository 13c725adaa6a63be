// Users, projects and the roots of queries.
#include <boost/json.hpp>

#include "control/api/agents.h"
#include "control/domain/contents.h"
#include "control/domain/projects.h"
#include "control/graphql/connection.h"
#include "control/graphql/types.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control::graphql {
namespace {

using api::FoundGroup;
using api::FoundProject;

template <Role needed>
Result<Value> has_role(Call& call) {
  return call.of<FoundProject>().role >= needed;
}

Result<Value> email(Call& call) {
  const User& user = call.of<User>();
  const auto& caller = call.in.caller;
  const bool may_see = caller && (caller->user.admin || caller->user.id == user.id);
  return may_see ? Value(user.email) : Value(nullptr);
}

// Nothing while there are no commits.
Result<Value> root_ref(Call& call) {
  const Project& project = call.of<FoundProject>().project;
  auto repository = Contents(call.in.core).open(project);
  if (!repository) return fail(repository.error());
  const auto any = repository->has_branches();
  if (!any) return fail(any.error());
  return *any ? Value(project.default_branch) : Value(nullptr);
}

Result<Value> project(Call& call) {
  const std::string path = call.text("fullPath");
  auto found = api::find_project(
      call.in.core, call.in.caller, [&](soci::session& sql) { return ProjectTable(sql).by_path(path); },
      Role::kNone);
  if (!found) return null_if_hidden(found.error());
  return Node::of(std::move(*found));
}

Result<Value> group(Call& call) {
  const std::string path = call.text("fullPath");
  auto found = api::find_group(
      call.in.core, call.in.caller, [&](soci::session& sql) { return NamespaceTable(sql).by_path(path); },
      Role::kNone);
  if (!found) return null_if_hidden(found.error());
  return Node::of(std::move(*found));
}

Result<Value> projects(Call& call) {
  ProjectTable::Filter filter{.search = call.text("search")};
  const auto& caller = call.in.caller;
  if (caller) filter.viewer = {caller->user.id, caller->user.admin};
  return connect(call, [&](Page page) {
    return call.in.core.db.read([&](soci::session& sql) {
      auto listed = ProjectTable(sql).list(filter, page);
      Listed<Value> found{.total = listed.total};
      for (Project& each : listed.items) {
        const Role role = caller ? role_of(sql, caller->user, each) : Role::kNone;
        auto space = NamespaceTable(sql).by_id(each.namespace_id).value_or(Namespace{});
        found.items.emplace_back(Node::of(FoundProject{std::move(each), std::move(space), role}));
      }
      return found;
    });
  });
}

Type project_type() {
  return {
      .name = "Project",
      .description = "A project",
      .fields = {
          {"id", "ID!", "",
           [](Call& c) -> Result<Value> { return global_id("Project", c.of<FoundProject>().project.id); }},
          {"fullPath", "ID!", "",
           [](Call& c) -> Result<Value> { return c.of<FoundProject>().project.full_path; }},
          {"name", "String!", "", [](Call& c) -> Result<Value> { return c.of<FoundProject>().project.name; }},
          {"description", "String", "",
           [](Call& c) -> Result<Value> { return c.of<FoundProject>().project.description; }},
          {"visibility", "String", "private, internal or public",
           [](Call& c) -> Result<Value> { return c.of<FoundProject>().project.visibility; }},
          {"webUrl", "String", "",
           [](Call& c) -> Result<Value> {
             return c.in.core.external_url + "/" + c.of<FoundProject>().project.full_path;
           }},
          {"createdAt", "Time", "",
           [](Call& c) -> Result<Value> { return api::json_time(c.of<FoundProject>().project.created_at); }},
          {"repository", "Repository", "Its Git repository",
           [](Call& c) -> Result<Value> { return c.parent; }},
          {"userPermissions", "ProjectPermissions!", "What the caller may do",
           [](Call& c) -> Result<Value> { return c.parent; }}}};
}

Type metadata_type() {
  return {
      .name = "Metadata",
      .description = "This server",
      .fields = {{"version", "String!", "", [](Call& c) -> Result<Value> { return c.in.core.version; }},
                 {"revision", "String!", "", [](Call&) -> Result<Value> { return "towline"; }},
                 {"kas", "Kas!", "Where agents connect", [](Call&) -> Result<Value> { return Node::of(0); }},
                 {"enterprise", "Boolean!", "", [](Call&) -> Result<Value> { return false; }}}};
}

Type kas_type() {
  return {.name = "Kas",
          .description = "The part of this server that agents connect to",
          .fields = {{"enabled", "Boolean!", "", [](Call&) -> Result<Value> { return true; }},
                     {"externalUrl", "String", "Where agents connect",
                      [](Call& c) -> Result<Value> { return c.in.core.kas_external_url; }},
                     {"externalK8sProxyUrl", "String", "Base of the Kubernetes API proxy",
                      [](Call& c) -> Result<Value> { return c.in.core.k8s_proxy_external_url; }},
                     {"version", "String", "", [](Call& c) -> Result<Value> { return c.in.core.version; }}}};
}

}  // namespace

void add_user_types(Schema& schema) {
  schema.add({.name = "UserCore",
              .description = "A person",
              .fields = {{"id", "ID!", "",
                          [](Call& c) -> Result<Value> { return global_id("User", c.of<User>().id); }},
                         {"username", "String!", "", member<&User::username>},
                         {"name", "String!", "", member<&User::name>},
                         {"email", "String", "To be seen by the person and by administrators", email},
                         {"webUrl", "String!", "", [](Call& c) -> Result<Value> {
                            return c.in.core.external_url + "/" + c.of<User>().username;
                          }}}});
}

void add_project_types(Schema& schema) {
  Type type = project_type();
  auto agents = agent_fields_of_project();
  for (Field& each : agents) type.fields.push_back(std::move(each));
  schema.add({.name = "Repository",
              .description = "A Git repository",
              .fields = {{"rootRef", "String", "Its default branch", root_ref}}});
  schema.add({.name = "ProjectPermissions",
              .description = "What the caller may do with a project",
              .fields = {{"readClusterAgent", "Boolean!", "", has_role<api::kReadAgents>},
                         {"createClusterAgent", "Boolean!", "", has_role<api::kChangeAgents>},
                         {"adminClusterAgent", "Boolean!", "", has_role<api::kChangeAgents>}}});
  schema.add(std::move(type));
  schema.add_connection("Project");
  schema.add(
      {.name = "Group",
       .description = "A group of projects",
       .fields = {
           {"id", "ID!", "",
            [](Call& c) -> Result<Value> { return global_id("Group", c.of<FoundGroup>().group.id); }},
           {"fullPath", "ID!", "",
            [](Call& c) -> Result<Value> { return c.of<FoundGroup>().group.full_path; }},
           {"name", "String!", "", [](Call& c) -> Result<Value> { return c.of<FoundGroup>().group.name; }}}});
}

void add_query(Schema& schema) {
  schema.add(metadata_type());
  schema.add(kas_type());
  const std::vector<InputValue> path = {{"fullPath", "ID!", "\"group/project\""}};
  schema.add(
      {.name = "Query",
       .description = "What can be read",
       .fields = {
           {"currentUser", "UserCore", "The caller",
            [](Call& c) -> Result<Value> {
              return c.in.caller ? Value(Node::of(c.in.caller->user)) : Value(nullptr);
            }},
           {"metadata", "Metadata", "This server",
            [](Call& c) -> Result<Value> { return c.in.caller ? Value(Node::of(0)) : Value(nullptr); }},
           {"project", "Project", "A project by its path", project, path},
           {"group", "Group", "A group by its path", group, path},
           {"projects", "ProjectConnection", "The projects that the caller may see, the newest first",
            projects, page_arguments({{"search", "String", "A part of its path or name"}})}}});
}

}  // namespace towline::control::graphql
