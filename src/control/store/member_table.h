#pragma once

#include <optional>
#include <vector>

#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

/// Who is a member of what. A `Place` is a group or a project, exactly one of the two.
class MemberTable {
 public:
  struct Place {
    std::int64_t namespace_id = 0;
    std::int64_t project_id = 0;
  };

  explicit MemberTable(soci::session& sql) : sql_(sql) {}

  void add(std::int64_t user_id, Place place, Role role, Millis now);
  /// False when the user is no direct member.
  bool set_role(std::int64_t user_id, Place place, Role role);
  bool remove(std::int64_t user_id, Place place);
  std::optional<Member> direct(std::int64_t user_id, Place place);
  Listed<Member> direct_members(Place place, Page page);
  /// Direct members and those of the groups above, each once, with the highest role.
  Listed<Member> all_members(Place place, Page page);

  /// The highest role of the user, direct, inherited from a group above, or as the owner of the user's own
  /// namespace. Being an administrator is not looked at.
  Role role_in_namespace(std::int64_t user_id, std::int64_t namespace_id);
  Role role_in_project(std::int64_t user_id, const Project& project);
  /// The direct memberships of the user in the groups and projects below a namespace, the highest first, at
  /// most `limit`.
  struct Membership {
    Place place;
    Role role = Role::kNone;
  };
  std::vector<Membership> below(std::int64_t user_id, std::int64_t namespace_id, std::int64_t limit);

 private:
  Role highest(std::int64_t user_id, std::int64_t namespace_id, std::int64_t project_id);

  soci::session& sql_;
};

}  // namespace towline::control
