#include <boost/json.hpp>

#include "control/api/respond.h"
#include "control/domain/projects.h"
#include "control/store/database.h"
#include "control/store/member_table.h"
#include "control/store/namespace_table.h"
#include "control/store/user_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;
using Place = MemberTable::Place;

Result<http::Response> list(Context& context, NamespaceTable::Filter filter) {
  filter.viewer = context.viewer();
  filter.search = context.params.text_or("search", "");
  filter.member_only = context.params.flag("owned");
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto groups =
      context.core.db.read([&](soci::session& sql) { return NamespaceTable(sql).groups(filter, page); });
  if (!groups) return fail(groups.error());
  json::array items;
  for (const Namespace& group : groups->items) items.emplace_back(render_group(context.core, group));
  return list_response(context, page, groups->total, std::move(items));
}

Result<http::Response> list_groups(Context& context) {
  return list(context, {.top_level_only = context.params.flag("top_level_only")});
}

Result<http::Response> list_subgroups(Context& context) {
  auto found = find_group(context, Role::kNone);
  if (!found) return fail(found.error());
  return list(context, {.parent_id = found->group.id});
}

Result<http::Response> get_group(Context& context) {
  auto found = find_group(context, Role::kNone);
  if (!found) return fail(found.error());
  return json_response(200, render_group(context.core, found->group));
}

Result<http::Response> create_group(Context& context) {
  Params& params = context.params;
  const NewGroup wanted{.parent_id = params.number_or("parent_id", 0),
                        .name = params.text("name"),
                        .path = params.text("path"),
                        .description = params.text_or("description", ""),
                        .visibility = params.text_or("visibility", "private")};
  if (Status status = params.check(); !status.ok()) return fail(status);
  auto group = Projects(context.core).create_group(context.user(), wanted);
  if (!group) return fail(group.error());
  return json_response(201, render_group(context.core, *group));
}

Result<http::Response> update_group(Context& context) {
  auto found = find_group(context, Role::kOwner);
  if (!found) return fail(found.error());
  Namespace group = found->group;
  group.description = context.params.text_or("description", group.description);
  group.visibility = context.params.text_or("visibility", group.visibility);
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  if (Status status = check_visibility(group.visibility); !status.ok()) return fail(status);
  const Status status = context.core.db.write([&](soci::session& sql) { NamespaceTable(sql).update(group); });
  if (!status.ok()) return fail(status);
  return json_response(200, render_group(context.core, group));
}

Result<http::Response> delete_group(Context& context) {
  auto found = find_group(context, Role::kOwner);
  if (!found) return fail(found.error());
  if (Status status = Projects(context.core).remove_group(found->group); !status.ok()) return fail(status);
  return json_response(202, json::object{{"message", "202 Accepted"}});
}

// A group or project whose members are asked for, with the caller's role in it.
struct Target {
  Place place;
  Role role = Role::kNone;
};
using Find = Result<Target> (*)(Context&, Role needed);

Result<Target> in_project(Context& context, Role needed) {
  auto found = find_project(context, needed);
  if (!found) return fail(found.error());
  return Target{{.project_id = found->project.id}, found->role};
}
Result<Target> in_group(Context& context, Role needed) {
  auto found = find_group(context, needed);
  if (!found) return fail(found.error());
  return Target{{.namespace_id = found->group.id}, found->role};
}

template <Find find, bool all>
Result<http::Response> list_members(Context& context) {
  auto target = find(context, Role::kNone);
  if (!target) return fail(target.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto members = context.core.db.read([&](soci::session& sql) {
    MemberTable table(sql);
    return all ? table.all_members(target->place, page) : table.direct_members(target->place, page);
  });
  if (!members) return fail(members.error());
  json::array items;
  for (const Member& member : members->items) items.emplace_back(render(context.core, member));
  return list_response(context, page, members->total, std::move(items));
}

// The membership as it is now in the database, as a response.
Result<http::Response> show_member(Context& context, int status, Place place, std::int64_t user_id) {
  auto member =
      context.core.db.read([&](soci::session& sql) { return MemberTable(sql).direct(user_id, place); });
  if (!member) return fail(member.error());
  if (!*member) return fail(Code::kNotFound, "404 Member Not Found");
  return json_response(status, render(context.core, **member));
}

template <Find find>
Result<http::Response> get_member(Context& context) {
  auto target = find(context, Role::kNone);
  if (!target) return fail(target.error());
  return show_member(context, 200, target->place, context.number("user_id"));
}

// The role to be given, which is not above the giver's own.
Result<Role> read_role(Context& context, Role own) {
  const std::int64_t level = context.params.number("access_level");
  const auto role = role_from_level(level);
  if (!role) context.params.refuse("access_level does not have a valid value: use 10, 20, 30, 40 or 50");
  // Somebody who sets one counts on its effect.
  if (!context.params.text_or("expires_at", "").empty()) {
    context.params.refuse(
        "expires_at is not supported for members: remove the member when the time has come");
  }
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  if (*role > own) return fail(Code::kPermissionDenied, "403 You cannot give a role above your own");
  return *role;
}

template <Find find>
Result<http::Response> add_member(Context& context) {
  auto target = find(context, Role::kMaintainer);
  if (!target) return fail(target.error());
  const std::int64_t user_id = context.params.number("user_id");
  auto role = read_role(context, target->role);
  if (!role) return fail(role.error());
  const Status status = context.core.db.write([&](soci::session& sql) -> Status {
    const auto user = UserTable(sql).by_id(user_id);
    if (!user) return {Code::kNotFound, "404 User Not Found"};
    if (user->bot_project_id != 0 && user->bot_project_id != target->place.project_id) {
      return {Code::kPermissionDenied,
              "403 The user of a project's access token is a member of that project only"};
    }
    if (MemberTable(sql).direct(user_id, target->place))
      return {Code::kAlreadyExists, "Member already exists"};
    MemberTable(sql).add(user_id, target->place, *role, context.core.now());
    return {};
  });
  if (!status.ok()) return fail(status);
  return show_member(context, 201, target->place, user_id);
}

// Refuses to touch one whose role is above the caller's, and to leave a group without an owner.
Status check_change(soci::session& sql, const Target& target, std::int64_t user_id, Role becomes) {
  const auto member = MemberTable(sql).direct(user_id, target.place);
  if (!member) return {Code::kNotFound, "404 Member Not Found"};
  if (member->role > target.role) return {Code::kPermissionDenied, "403 The member's role is above your own"};
  if (target.place.namespace_id == 0 || member->role != Role::kOwner || becomes == Role::kOwner) return {};
  std::int64_t owners = 0;
  for (const Member& each : MemberTable(sql).direct_members(target.place, {.size = 10'000}).items) {
    if (each.role == Role::kOwner) ++owners;
  }
  if (owners <= 1) return {Code::kPermissionDenied, "403 A group needs an owner"};
  return {};
}

template <Find find>
Result<http::Response> edit_member(Context& context) {
  auto target = find(context, Role::kMaintainer);
  if (!target) return fail(target.error());
  const std::int64_t user_id = context.number("user_id");
  auto role = read_role(context, target->role);
  if (!role) return fail(role.error());
  const Status status = context.core.db.write([&](soci::session& sql) -> Status {
    if (Status allowed = check_change(sql, *target, user_id, *role); !allowed.ok()) return allowed;
    MemberTable(sql).set_role(user_id, target->place, *role);
    return {};
  });
  if (!status.ok()) return fail(status);
  return show_member(context, 200, target->place, user_id);
}

template <Find find>
Result<http::Response> remove_member(Context& context) {
  const std::int64_t user_id = context.number("user_id");
  const bool leaving = user_id == context.user().id;
  auto target = find(context, leaving ? Role::kGuest : Role::kMaintainer);
  if (!target) return fail(target.error());
  const Status status = context.core.db.write([&](soci::session& sql) -> Status {
    if (Status allowed = check_change(sql, *target, user_id, Role::kNone); !allowed.ok()) return allowed;
    MemberTable(sql).remove(user_id, target->place);
    return {};
  });
  if (!status.ok()) return fail(status);
  return no_content();
}

constexpr Route kRoutes[] = {
    {"GET", "/groups", list_groups, Need::kNobody, "Groups that the caller may see",
     "search top_level_only:boolean owned:boolean page:integer per_page:integer"},
    {"POST", "/groups", create_group, Need::kUser, "Make a group",
     "name! path! parent_id:integer description visibility"},
    {"GET", "/groups/:id", get_group, Need::kNobody, "A group"},
    {"PUT", "/groups/:id", update_group, Need::kUser, "Change a group", "name description visibility"},
    {"DELETE", "/groups/:id", delete_group, Need::kUser, "Delete a group with all that is in it"},
    {"GET", "/groups/:id/subgroups", list_subgroups, Need::kNobody, "Groups in a group",
     "search page:integer per_page:integer"},
    {"GET", "/groups/:id/members", list_members<in_group, false>, Need::kUser, "Direct members of a group",
     "page:integer per_page:integer"},
    {"GET", "/groups/:id/members/all", list_members<in_group, true>, Need::kUser,
     "Members of a group, inherited ones included", "page:integer per_page:integer"},
    {"POST", "/groups/:id/members", add_member<in_group>, Need::kUser, "Add a member to a group",
     "user_id!:integer access_level!:integer"},
    {"GET", "/groups/:id/members/:user_id", get_member<in_group>, Need::kUser, "A member of a group"},
    {"PUT", "/groups/:id/members/:user_id", edit_member<in_group>, Need::kUser,
     "Change a member's role in a group", "access_level!:integer"},
    {"DELETE", "/groups/:id/members/:user_id", remove_member<in_group>, Need::kUser,
     "Remove a member from a group"},
    {"GET", "/projects/:id/members", list_members<in_project, false>, Need::kUser,
     "Direct members of a project", "page:integer per_page:integer"},
    {"GET", "/projects/:id/members/all", list_members<in_project, true>, Need::kUser,
     "Members of a project, inherited ones included", "page:integer per_page:integer"},
    {"POST", "/projects/:id/members", add_member<in_project>, Need::kUser, "Add a member to a project",
     "user_id!:integer access_level!:integer"},
    {"GET", "/projects/:id/members/:user_id", get_member<in_project>, Need::kUser, "A member of a project"},
    {"PUT", "/projects/:id/members/:user_id", edit_member<in_project>, Need::kUser,
     "Change a member's role in a project", "access_level!:integer"},
    {"DELETE", "/projects/:id/members/:user_id", remove_member<in_project>, Need::kUser,
     "Remove a member from a project"},
};

}  // namespace

std::span<const Route> group_routes() { return kRoutes; }

}  // namespace towline::control::api
