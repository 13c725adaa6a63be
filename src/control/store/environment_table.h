#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

class EnvironmentTable {
 public:
  explicit EnvironmentTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const Environment& environment);
  void update(const Environment& environment);
  void remove(std::int64_t id);
  std::optional<Environment> by_id(std::int64_t id);
  std::optional<Environment> by_name(std::int64_t project_id, const std::string& name);
  bool slug_taken(std::int64_t project_id, const std::string& slug);

  struct Filter {
    std::int64_t project_id = 0;
    std::string name;    // empty: any
    std::string search;  // empty: any
    std::string state;   // empty: any
  };
  Listed<Environment> list(const Filter& filter, Page page);

 private:
  soci::session& sql_;
};

/// How receptive agents are reached; one row for each at most.
class UrlConfigurationTable {
 public:
  explicit UrlConfigurationTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const UrlConfiguration& configuration);
  std::optional<UrlConfiguration> by_id(std::int64_t id);
  std::optional<UrlConfiguration> of_agent(std::int64_t agent_id);
  std::vector<UrlConfiguration> all();
  void remove(std::int64_t id);

 private:
  soci::session& sql_;
};

class ProtectedBranchTable {
 public:
  explicit ProtectedBranchTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const ProtectedBranch& branch);
  std::optional<ProtectedBranch> by_name(std::int64_t project_id, const std::string& name);
  std::vector<ProtectedBranch> of_project(std::int64_t project_id);
  void remove(std::int64_t id);

 private:
  soci::session& sql_;
};

}  // namespace towline::control
