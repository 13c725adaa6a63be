#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace towline::control {

/// What a member may do; the numbers are those of the API and of the database. A higher role may all that a
/// lower one may.
enum class Role {
  kNone = 0,
  kGuest = 10,
  kReporter = 20,
  kDeveloper = 30,
  kMaintainer = 40,
  kOwner = 50,
};

struct NamedRole {
  Role role;
  std::string_view name;  // as in impersonation groups
};
/// All roles but kNone, lowest first.
inline constexpr std::array<NamedRole, 5> kRoles = {{{Role::kGuest, "guest"},
                                                     {Role::kReporter, "reporter"},
                                                     {Role::kDeveloper, "developer"},
                                                     {Role::kMaintainer, "maintainer"},
                                                     {Role::kOwner, "owner"}}};

/// The role with this number; nothing for a number that is none.
inline std::optional<Role> role_from_level(long long level) {
  for (const NamedRole& each : kRoles) {
    if (static_cast<long long>(each.role) == level) return each.role;
  }
  return std::nullopt;
}

}  // namespace towline::control
