#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/backend.h"
#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

class AgentTable {
 public:
  explicit AgentTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const AgentRecord& agent);
  std::optional<AgentRecord> by_id(std::int64_t id);
  std::optional<AgentRecord> by_name(std::int64_t project_id, const std::string& name);
  /// Those of the names that are agents, at most a page of them.
  std::vector<AgentRecord> by_names(std::int64_t project_id, const std::vector<std::string>& names);
  Listed<AgentRecord> list(std::int64_t project_id, Page page);
  void remove(std::int64_t id);

  /// A sign of life. An empty `version` leaves the last one. False when there is no such agent.
  bool contact(std::int64_t id, Millis now, const std::string& version);

  std::optional<StoredConfiguration> configuration(std::int64_t agent_id);
  void save_configuration(const StoredConfiguration& configuration);

 private:
  soci::session& sql_;
};

/// What the configuration in force of an agent lists. A target may be gone.
class AgentAccessTable {
 public:
  explicit AgentAccessTable(soci::session& sql) : sql_(sql) {}

  /// The rules of one commit take the place of all that the agent had.
  void replace(std::int64_t agent_id, const std::string& commit_id, const std::vector<AccessRule>& rules);
  /// Nothing when another commit's have taken their place.
  std::vector<AccessRule> of(std::int64_t agent_id, const std::string& commit_id);

 private:
  soci::session& sql_;
};

class AgentTokenTable {
 public:
  explicit AgentTokenTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const AgentToken& token, const std::string& hash);
  std::optional<AgentToken> by_id(std::int64_t id);
  std::optional<AgentToken> by_hash(const std::string& hash);
  enum class Which { kActive, kRevoked, kAll };
  /// The newest first.
  Listed<AgentToken> list(std::int64_t agent_id, Which which, Page page);
  /// Those that are not revoked.
  Listed<AgentToken> active(std::int64_t agent_id, Page page);
  /// Of these tokens those that are not revoked, with their agents.
  std::map<std::int64_t, std::int64_t> in_force(const std::vector<std::int64_t>& ids);
  /// False when it was revoked already.
  bool revoke(std::int64_t id, Millis now);
  void touch(std::int64_t id, Millis now);

 private:
  soci::session& sql_;
};

}  // namespace towline::control
