// Protected branches.
#include <boost/json.hpp>

#include "control/api/respond.h"
#include "control/domain/branches.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

json::object render(const ProtectedBranch& branch) {
  const int level = static_cast<int>(branch.push_access_level);
  const char* description = branch.push_access_level == Role::kNone        ? "No one"
                            : branch.push_access_level == Role::kDeveloper ? "Developers + Maintainers"
                                                                           : "Maintainers";
  const json::array levels{json::object{{"access_level", level}, {"access_level_description", description}}};
  return {{"id", branch.id},
          {"name", branch.name},
          {"push_access_levels", levels},
          {"merge_access_levels", levels},
          {"allow_force_push", branch.allow_force_push}};
}

Result<http::Response> list(Context& context) {
  auto found = find_project(context, Role::kDeveloper);
  if (!found) return fail(found.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto rules = context.core.db.read(
      [&](soci::session& sql) { return ProtectedBranchTable(sql).of_project(found->project.id); });
  if (!rules) return fail(rules.error());
  json::array items;
  for (const ProtectedBranch& rule : part_of(*rules, page)) items.emplace_back(render(rule));
  return list_response(context, page, static_cast<std::int64_t>(rules->size()), std::move(items));
}

Result<ProtectedBranch> find_rule(Context& context, Role needed) {
  auto found = find_project(context, needed);
  if (!found) return fail(found.error());
  auto rule = context.core.db.read([&](soci::session& sql) {
    return ProtectedBranchTable(sql).by_name(found->project.id, context.part("name"));
  });
  if (!rule) return fail(rule.error());
  if (!*rule) return fail(Code::kNotFound, "404 Protected Branch Not Found");
  return std::move(**rule);
}

Result<http::Response> get(Context& context) {
  auto rule = find_rule(context, Role::kDeveloper);
  if (!rule) return fail(rule.error());
  return json_response(200, render(*rule));
}

Result<http::Response> create(Context& context) {
  auto found = find_project(context, Role::kMaintainer);
  if (!found) return fail(found.error());
  Params& params = context.params;
  ProtectedBranch rule{.project_id = found->project.id, .name = params.text("name")};
  const std::int64_t level = params.number_or("push_access_level", static_cast<int>(Role::kMaintainer));
  rule.allow_force_push = params.flag("allow_force_push");
  if (level != 0 && level != static_cast<int>(Role::kDeveloper) &&
      level != static_cast<int>(Role::kMaintainer)) {
    params.refuse("push_access_level does not have a valid value: 0, 30 or 40");
  }
  if (Status status = check_branch_pattern(rule.name); !status.ok()) params.refuse(status.message());
  if (Status status = params.check(); !status.ok()) return fail(status);
  rule.push_access_level = static_cast<Role>(level);
  auto made = context.core.db.write([&](soci::session& sql) -> Result<std::int64_t> {
    if (ProtectedBranchTable(sql).by_name(rule.project_id, rule.name)) {
      return fail(Code::kAlreadyExists, "Protected branch '" + rule.name + "' already exists");
    }
    if (ProtectedBranchTable(sql).of_project(rule.project_id).size() >= kMaxProtectedBranches) {
      return fail(Code::kInvalidArgument, "The project has " + std::to_string(kMaxProtectedBranches) +
                                              " protected branches, which is the limit; use a pattern");
    }
    return ProtectedBranchTable(sql).create(rule);
  });
  if (!made) return fail(made.error());
  rule.id = *made;
  return json_response(201, render(rule));
}

Result<http::Response> remove(Context& context) {
  auto rule = find_rule(context, Role::kMaintainer);
  if (!rule) return fail(rule.error());
  const Status status =
      context.core.db.write([&](soci::session& sql) { ProtectedBranchTable(sql).remove(rule->id); });
  if (!status.ok()) return fail(status);
  return no_content();
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/protected_branches", list, Need::kUser, "Protected branches",
     "page:integer per_page:integer"},
    {"POST", "/projects/:id/protected_branches", create, Need::kUser,
     "Protect a branch, or those of a pattern", "name! push_access_level:integer allow_force_push:boolean"},
    {"GET", "/projects/:id/protected_branches/*name", get, Need::kUser, "A protected branch"},
    {"DELETE", "/projects/:id/protected_branches/*name", remove, Need::kUser,
     "End the protection of a branch"},
};

}  // namespace

std::span<const Route> branch_routes() { return kRoutes; }

}  // namespace towline::control::api
