// From the path of a request to what it names, with the check of the caller's role.
#include "control/api/respond.h"
#include "control/domain/projects.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control::api {
namespace {

bool visible(const std::optional<Caller>& caller, const std::string& visibility, Role role) {
  return role != Role::kNone || visibility == "public" || (visibility == "internal" && caller);
}

Status too_low() { return {Code::kPermissionDenied, "403 Forbidden"}; }

}  // namespace

Result<FoundProject> find_project(Core& core, const std::optional<Caller>& caller,
                                  const LookUp<Project>& look_up, Role needed) {
  return core.db.read([&](soci::session& sql) -> Result<FoundProject> {
    auto project = look_up(sql);
    if (!project) return fail(Code::kNotFound, "404 Project Not Found");
    const Role role = caller ? role_of(sql, caller->user, *project) : Role::kNone;
    if (!visible(caller, project->visibility, role)) return fail(Code::kNotFound, "404 Project Not Found");
    if (role < needed) return fail(too_low());
    auto space = NamespaceTable(sql).by_id(project->namespace_id);
    if (!space) return fail(Code::kNotFound, "404 Project Not Found");
    return FoundProject{std::move(*project), std::move(*space), role};
  });
}

Result<FoundProject> find_project(Context& context, Role needed) {
  const std::string& id = context.part("id");
  const std::int64_t number = context.number("id");
  const auto look_up = [&](soci::session& sql) {
    return number != 0 ? ProjectTable(sql).by_id(number) : ProjectTable(sql).by_path(id);
  };
  return find_project(context.core, context.caller, look_up, needed);
}

Result<FoundGroup> find_group(Core& core, const std::optional<Caller>& caller,
                              const LookUp<Namespace>& look_up, Role needed) {
  return core.db.read([&](soci::session& sql) -> Result<FoundGroup> {
    auto group = look_up(sql);
    if (!group || !group->is_group()) return fail(Code::kNotFound, "404 Group Not Found");
    const Role role = caller ? role_of(sql, caller->user, *group) : Role::kNone;
    if (!visible(caller, group->visibility, role)) return fail(Code::kNotFound, "404 Group Not Found");
    if (role < needed) return fail(too_low());
    return FoundGroup{std::move(*group), role};
  });
}

Result<FoundGroup> find_group(Context& context, Role needed) {
  const std::string& id = context.part("id");
  const std::int64_t number = context.number("id");
  const auto look_up = [&](soci::session& sql) {
    return number != 0 ? NamespaceTable(sql).by_id(number) : NamespaceTable(sql).by_path(id);
  };
  return find_group(context.core, context.caller, look_up, needed);
}

}  // namespace towline::control::api
