// From the path of a request to what it names, with the check of the caller's role.
#include "control/api/respond.h"
#include "control/domain/projects.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control::api {
namespace {

bool visible(const Context& context, const std::string& visibility, Role role) {
  return role != Role::kNone || visibility == "public" || (visibility == "internal" && context.caller);
}

Status too_low() { return {Code::kPermissionDenied, "403 Forbidden"}; }

}  // namespace

Result<FoundProject> find_project(Context& context, Role needed) {
  const std::string& id = context.part("id");
  const std::int64_t number = context.number("id");
  return context.core.db.read([&](soci::session& sql) -> Result<FoundProject> {
    auto project = number != 0 ? ProjectTable(sql).by_id(number) : ProjectTable(sql).by_path(id);
    if (!project) return fail(Code::kNotFound, "404 Project Not Found");
    const Role role = context.caller ? role_of(sql, context.user(), *project) : Role::kNone;
    if (!visible(context, project->visibility, role)) return fail(Code::kNotFound, "404 Project Not Found");
    if (role < needed) return fail(too_low());
    auto space = NamespaceTable(sql).by_id(project->namespace_id);
    if (!space) return fail(Code::kNotFound, "404 Project Not Found");
    return FoundProject{std::move(*project), std::move(*space), role};
  });
}

Result<FoundGroup> find_group(Context& context, Role needed) {
  const std::string& id = context.part("id");
  const std::int64_t number = context.number("id");
  return context.core.db.read([&](soci::session& sql) -> Result<FoundGroup> {
    auto group = number != 0 ? NamespaceTable(sql).by_id(number) : NamespaceTable(sql).by_path(id);
    if (!group || !group->is_group()) return fail(Code::kNotFound, "404 Group Not Found");
    const Role role = context.caller ? role_of(sql, context.user(), *group) : Role::kNone;
    if (!visible(context, group->visibility, role)) return fail(Code::kNotFound, "404 Group Not Found");
    if (role < needed) return fail(too_low());
    return FoundGroup{std::move(*group), role};
  });
}

}  // namespace towline::control::api
