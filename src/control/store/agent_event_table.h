#pragma once

#include <vector>

#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

/// Connections of agents' pods that are open, as the servers that hold them last said.
class AgentConnectionTable {
 public:
  /// A server that died cannot close its connections: one not seen for this long is none. More than two of
  /// the intervals at which a server looks at each connection.
  static constexpr Millis kAlive = Millis{11} * 60 * 1000;

  explicit AgentConnectionTable(soci::session& sql) : sql_(sql) {}

  bool exists(std::int64_t id);
  void put(const AgentConnection& connection);
  void remove(std::int64_t id);
  void remove_all();
  std::vector<AgentConnection> of_agent(std::int64_t agent_id, Millis now);
  std::vector<AgentConnection> of_project(std::int64_t project_id, Millis now);

 private:
  soci::session& sql_;
};

/// What happened to agents: agent_created, token_created, token_revoked, agent_connected (after an hour or
/// more away), agent_disconnected, configuration_applied, configuration_refused, version_changed.
class AgentEventTable {
 public:
  /// Limit: age of an agent's events; older ones are removed.
  static constexpr Millis kMemory = Millis{7} * 24 * 3600 * 1000;
  /// Limit: events of one agent that are remembered, within the week; over it the oldest go.
  static constexpr std::int64_t kMaxOfOneAgent = 1000;

  explicit AgentEventTable(soci::session& sql) : sql_(sql) {}

  /// Adds an event and forgets those of the agent that are old or too many.
  void add(const AgentEvent& event);
  /// The newest first.
  Listed<AgentEvent> list(std::int64_t agent_id, Millis now, Page page);

 private:
  soci::session& sql_;
};

/// Who changed what.
class AuditTable {
 public:
  explicit AuditTable(soci::session& sql) : sql_(sql) {}
  void add(const AuditEvent& event);
  /// Removes at most `limit` rows that are older, the oldest first; says how many.
  std::int64_t remove_before(Millis at, std::int64_t limit);
  /// The newest first.
  Listed<AuditEvent> list(Page page);

 private:
  soci::session& sql_;
};

}  // namespace towline::control
