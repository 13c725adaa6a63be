#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "control/domain/core.h"

namespace soci {
class session;
}

namespace towline::control {

struct NewProject {
  std::int64_t namespace_id = 0;  // 0: the creator's own
  std::string name;
  std::string path;  // empty: made from the name
  std::string description;
  std::string visibility = "private";
  std::string default_branch = "main";
};

struct NewGroup {
  std::int64_t parent_id = 0;  // 0: top level
  std::string name;
  std::string path;
  std::string description;
  std::string visibility = "private";
};

/// Groups and projects. Rights are the caller's matter, but for role_of. Blocks. Safe from any thread.
class Projects {
 public:
  explicit Projects(Core& core) : core_(core) {}

  /// Makes the project and its empty repository. The creator needs the maintainer role in the namespace:
  /// PERMISSION_DENIED; ALREADY_EXISTS for a path that is taken.
  Result<Project> create(const User& creator, const NewProject& project);
  /// New name, path, description, visibility or default branch (which must exist, unless there are no
  /// commits).
  Result<Project> update(const Project& project);
  /// Removes the project with its agents, whose connections end, and its repository.
  Status remove(const Project& project);

  /// Makes the group; its creator becomes an owner. A group within another needs the maintainer role there.
  Result<Namespace> create_group(const User& creator, const NewGroup& group);
  Status remove_group(const Namespace& group);

 private:
  Core& core_;
};

/// The user's role, inherited ones included; administrators own everything.
Role role_of(soci::session& sql, const User& user, const Project& project);
Role role_of(soci::session& sql, const User& user, const Namespace& space);

/// INVALID_ARGUMENT unless "private", "internal" or "public".
Status check_visibility(const std::string& visibility);

}  // namespace towline::control
