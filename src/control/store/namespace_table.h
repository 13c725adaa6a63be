#pragma once

#include <optional>
#include <string>

#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

/// Whose eyes a list is made for. An administrator sees everything.
struct Viewer {
  std::int64_t user_id = 0;  // 0: nobody in particular
  bool admin = false;
};

class NamespaceTable {
 public:
  explicit NamespaceTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const Namespace& space);
  std::optional<Namespace> by_id(std::int64_t id);
  /// Compares without case.
  std::optional<Namespace> by_path(const std::string& full_path);
  /// The namespace that belongs to the user himself.
  std::optional<Namespace> of_user(std::int64_t user_id);

  struct Filter {
    Viewer viewer;
    std::int64_t parent_id = 0;  // 0: groups at any level
    bool top_level_only = false;
    bool member_only = false;
    std::string search;
  };
  Listed<Namespace> groups(const Filter& filter, Page page);
  void update(const Namespace& space);
  void remove(std::int64_t id);

 private:
  soci::session& sql_;
};

class ProjectTable {
 public:
  explicit ProjectTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const Project& project);
  std::optional<Project> by_id(std::int64_t id);
  /// Compares without case.
  std::optional<Project> by_path(const std::string& full_path);

  struct Filter {
    Viewer viewer;
    std::int64_t namespace_id = 0;  // 0: of any
    bool include_subgroups = false;
    bool member_only = false;
    bool ascending = false;
    std::string search;
  };
  Listed<Project> list(const Filter& filter, Page page);
  /// Every project below a namespace.
  std::vector<Project> below(std::int64_t namespace_id);
  void update(const Project& project);
  void remove(std::int64_t id);

 private:
  soci::session& sql_;
};

}  // namespace towline::control
