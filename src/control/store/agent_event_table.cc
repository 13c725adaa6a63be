#include "control/store/agent_event_table.h"

#include "control/store/query.h"

namespace towline::control {

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, AgentConnection& c) {
  q.into(c.id).into(c.agent_id).into(c.version).into(c.commit_id).into(c.pod_namespace).into(c.pod_name);
  q.into(c.connected_at).into(c.last_seen_at);
}

static void columns(Query& q, AgentEvent& e) {
  q.into(e.id)
      .into(e.agent_id)
      .into(e.kind)
      .into(e.detail)
      .into(e.user_id)
      .into(e.token_id)
      .into(e.recorded_at);
  q.into(e.username).into(e.user_name).into(e.token_name);
}

static void columns(Query& q, AuditEvent& e) {
  q.into(e.id).into(e.at).into(e.user_id).into(e.username).into(e.address).into(e.action).into(e.target);
}

namespace {

const std::string kConnectionColumns =
    "SELECT c.id, c.agent_id, c.version, c.commit_id, c.pod_namespace, c.pod_name, c.connected_at, "
    "c.last_seen_at "
    "FROM agent_connections c ";

}  // namespace

bool AgentConnectionTable::exists(std::int64_t id) {
  return Query(sql_, "SELECT COUNT(*) FROM agent_connections WHERE id = :id").with("id", id).number() > 0;
}

void AgentConnectionTable::put(const AgentConnection& connection) {
  Query(sql_,
        "INSERT INTO agent_connections (id, agent_id, version, commit_id, pod_namespace, pod_name, "
        "connected_at, "
        "last_seen_at) VALUES (:id, :agent, :version, :commit, :namespace, :pod, :connected, :seen) "
        "ON CONFLICT (id) DO UPDATE SET last_seen_at = excluded.last_seen_at")
      .with("id", connection.id)
      .with("agent", connection.agent_id)
      .with("version", connection.version)
      .with("commit", connection.commit_id)
      .with("namespace", connection.pod_namespace)
      .with("pod", connection.pod_name)
      .with("connected", connection.connected_at)
      .with("seen", connection.last_seen_at)
      .run();
}

void AgentConnectionTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM agent_connections WHERE id = :id").with("id", id).run();
}

void AgentConnectionTable::remove_all() { Query(sql_, "DELETE FROM agent_connections").run(); }

std::vector<AgentConnection> AgentConnectionTable::of_agent(std::int64_t agent_id, Millis now) {
  return Query(sql_,
               kConnectionColumns + "WHERE c.agent_id = :agent AND c.last_seen_at > :alive ORDER BY c.id")
      .with("agent", agent_id)
      .with("alive", now - kAlive)
      .rows<AgentConnection>();
}

std::vector<AgentConnection> AgentConnectionTable::of_project(std::int64_t project_id, Millis now) {
  return Query(sql_, kConnectionColumns +
                         "JOIN agents a ON a.id = c.agent_id WHERE a.project_id = :project AND "
                         "c.last_seen_at > :alive ORDER BY c.id")
      .with("project", project_id)
      .with("alive", now - kAlive)
      .rows<AgentConnection>();
}

void AgentEventTable::add(const AgentEvent& event) {
  Query(sql_,
        "DELETE FROM agent_events WHERE agent_id = :agent AND id <= (SELECT id FROM agent_events "
        "WHERE agent_id = :agent ORDER BY id DESC LIMIT 1 OFFSET :most)")
      .with("agent", event.agent_id)
      .with("most", kMaxOfOneAgent - 1)
      .run();
  Query(sql_, "DELETE FROM agent_events WHERE agent_id = :agent AND recorded_at < :old")
      .with("agent", event.agent_id)
      .with("old", event.recorded_at - kMemory)
      .run();
  Query(sql_,
        "INSERT INTO agent_events (agent_id, kind, detail, user_id, token_id, recorded_at) "
        "VALUES (:agent, :kind, :detail, :user, :token, :at)")
      .with("agent", event.agent_id)
      .with("kind", event.kind)
      .with("detail", event.detail)
      .with("user", event.user_id)
      .with("token", event.token_id)
      .with("at", event.recorded_at)
      .run();
}

Listed<AgentEvent> AgentEventTable::list(std::int64_t agent_id, Millis now, Page page) {
  const std::string where = "WHERE e.agent_id = :agent AND e.recorded_at >= :old ";
  return {Query(sql_,
                "SELECT e.id, e.agent_id, e.kind, e.detail, e.user_id, e.token_id, e.recorded_at, "
                "COALESCE(u.username, ''), COALESCE(u.name, ''), COALESCE(t.name, '') FROM agent_events e "
                "LEFT JOIN users u ON u.id = e.user_id LEFT JOIN agent_tokens t ON t.id = e.token_id " +
                    where + "ORDER BY e.recorded_at DESC, e.id DESC LIMIT :limit OFFSET :offset")
              .with("agent", agent_id)
              .with("old", now - kMemory)
              .with(page)
              .rows<AgentEvent>(),
          Query(sql_, "SELECT COUNT(*) FROM agent_events e " + where)
              .with("agent", agent_id)
              .with("old", now - kMemory)
              .number()};
}

void AuditTable::add(const AuditEvent& event) {
  Query(sql_,
        "INSERT INTO audit_events (at, user_id, username, address, action, target) "
        "VALUES (:at, :user, :username, :address, :action, :target)")
      .with("at", event.at)
      .with("user", event.user_id)
      .with("username", event.username)
      .with("address", event.address)
      .with("action", event.action)
      .with("target", event.target)
      .run();
}

std::int64_t AuditTable::remove_before(Millis at, std::int64_t limit) {
  return Query(sql_,
               "DELETE FROM audit_events WHERE id IN "
               "(SELECT id FROM audit_events WHERE at < :at ORDER BY at LIMIT :limit)")
      .with("at", at)
      .with("limit", limit)
      .changed();
}

Listed<AuditEvent> AuditTable::list(Page page) {
  return {Query(sql_,
                "SELECT id, at, user_id, username, address, action, target FROM audit_events "
                "ORDER BY id DESC LIMIT :limit OFFSET :offset")
              .with(page)
              .rows<AuditEvent>(),
          Query(sql_, "SELECT COUNT(*) FROM audit_events").number()};
}

}  // namespace towline::control
