#include "control/store/agent_table.h"

#include <algorithm>
#include <span>

#include "control/store/query.h"

namespace towline::control {

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, AgentRecord& a) {
  q.into(a.id)
      .into(a.project_id)
      .into(a.name)
      .into(a.created_by_user_id)
      .into(a.created_at)
      .into(a.last_contact_at)
      .into(a.last_version)
      .into(a.receptive);
}

static void columns(Query& q, AgentToken& t) {
  q.into(t.id)
      .into(t.agent_id)
      .into(t.name)
      .into(t.description)
      .into(t.created_by_user_id)
      .into(t.created_at);
  q.into(t.last_used_at).into(t.revoked_at);
}

static void columns(Query& q, StoredConfiguration& c) {
  q.into(c.agent_id)
      .into(c.commit_id)
      .into(c.content)
      .into(c.fault)
      .into(c.fault_commit_id)
      .into(c.updated_at)
      .into(c.warnings)
      .into(c.resolved);
}

namespace {
struct AccessRow {
  std::string section;
  std::string kind;
  std::int64_t target_id = 0;
};
}  // namespace

static void columns(Query& q, AccessRow& r) { q.into(r.section).into(r.kind).into(r.target_id); }

namespace {

const std::string kAgentColumns =
    "SELECT id, project_id, name, created_by_user_id, created_at, last_contact_at, last_version, "
    "(SELECT COUNT(*) FROM url_configurations u WHERE u.agent_id = agents.id) FROM agents ";
const std::string kTokenColumns =
    "SELECT id, agent_id, name, description, created_by_user_id, created_at, last_used_at, revoked_at "
    "FROM agent_tokens ";

}  // namespace

std::int64_t AgentTable::create(const AgentRecord& agent) {
  return Query(sql_,
               "INSERT INTO agents (project_id, name, created_by_user_id, created_at, last_contact_at) "
               "VALUES (:project, :name, :user, :created, 0) RETURNING id")
      .with("project", agent.project_id)
      .with("name", agent.name)
      .with("user", agent.created_by_user_id)
      .with("created", agent.created_at)
      .number();
}

std::optional<AgentRecord> AgentTable::by_id(std::int64_t id) {
  return Query(sql_, kAgentColumns + "WHERE id = :id").with("id", id).row<AgentRecord>();
}

std::optional<AgentRecord> AgentTable::by_name(std::int64_t project_id, const std::string& name) {
  return Query(sql_, kAgentColumns + "WHERE project_id = :project AND name = :name")
      .with("project", project_id)
      .with("name", name)
      .row<AgentRecord>();
}

std::vector<AgentRecord> AgentTable::by_names(std::int64_t project_id,
                                              const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) list += (i == 0 ? ":n" : ", :n") + std::to_string(i);
  Query query(sql_, kAgentColumns + "WHERE project_id = :project AND name IN (" + list + ")");
  query.with("project", project_id);
  for (std::size_t i = 0; i < names.size(); ++i) query.with(("n" + std::to_string(i)).c_str(), names[i]);
  return query.rows<AgentRecord>();
}

Listed<AgentRecord> AgentTable::list(std::int64_t project_id, Page page) {
  const std::string where = "WHERE project_id = :project ";
  return {Query(sql_, kAgentColumns + where + "ORDER BY id LIMIT :limit OFFSET :offset")
              .with("project", project_id)
              .with(page)
              .rows<AgentRecord>(),
          Query(sql_, "SELECT COUNT(*) FROM agents " + where).with("project", project_id).number()};
}

void AgentTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM agents WHERE id = :id").with("id", id).run();
}

bool AgentTable::contact(std::int64_t id, Millis now, const std::string& version) {
  return Query(sql_,
               "UPDATE agents SET last_contact_at = :now, last_version = CASE WHEN :version = '' THEN "
               "last_version "
               "ELSE :version END WHERE id = :id")
             .with("now", now)
             .with("version", version)
             .with("id", id)
             .changed() > 0;
}

std::optional<StoredConfiguration> AgentTable::configuration(std::int64_t agent_id) {
  return Query(sql_,
               "SELECT agent_id, commit_id, content, fault, fault_commit_id, updated_at, warnings, resolved "
               "FROM "
               "agent_configurations "
               "WHERE agent_id = :id")
      .with("id", agent_id)
      .row<StoredConfiguration>();
}

void AgentTable::save_configuration(const StoredConfiguration& configuration) {
  Query(sql_,
        "INSERT INTO agent_configurations (agent_id, commit_id, content, fault, fault_commit_id, updated_at, "
        "warnings, resolved) "
        "VALUES (:agent, :commit, :content, :fault, :fault_commit, :now, :warnings, :resolved) "
        "ON CONFLICT (agent_id) "
        "DO UPDATE SET "
        "commit_id = excluded.commit_id, content = excluded.content, fault = excluded.fault, "
        "fault_commit_id = excluded.fault_commit_id, updated_at = excluded.updated_at, warnings = "
        "excluded.warnings, resolved = excluded.resolved")
      .with("agent", configuration.agent_id)
      .with("commit", configuration.commit_id)
      .with("content", configuration.content)
      .with("fault", configuration.fault)
      .with("fault_commit", configuration.fault_commit_id)
      .with("now", configuration.updated_at)
      .with("warnings", configuration.warnings)
      .with("resolved", configuration.resolved)
      .run();
}

void AgentAccessTable::replace(std::int64_t agent_id, const std::string& commit_id,
                               const std::vector<AccessRule>& rules) {
  Query(sql_, "DELETE FROM agent_access WHERE agent_id = :agent").with("agent", agent_id).run();
  for (const AccessRule& rule : rules) {
    Query(sql_,
          "INSERT INTO agent_access (agent_id, commit_id, section, kind, target_id) "
          "VALUES (:agent, :commit, :section, :kind, :target)")
        .with("agent", agent_id)
        .with("commit", commit_id)
        .with("section", rule.section == AccessRule::Section::kUserAccess ? "user_access" : "ci_access")
        .with("kind", rule.kind == AccessRule::Kind::kProject ? "project" : "group")
        .with("target", rule.target_id)
        .run();
  }
}

std::vector<AccessRule> AgentAccessTable::of(std::int64_t agent_id, const std::string& commit_id) {
  std::vector<AccessRule> rules;
  const auto rows = Query(sql_,
                          "SELECT section, kind, target_id FROM agent_access WHERE agent_id = :agent AND "
                          "commit_id = :commit ORDER BY id")
                        .with("agent", agent_id)
                        .with("commit", commit_id)
                        .rows<AccessRow>();
  for (const AccessRow& row : rows) {
    rules.push_back(
        {row.section == "user_access" ? AccessRule::Section::kUserAccess : AccessRule::Section::kCiAccess,
         row.kind == "project" ? AccessRule::Kind::kProject : AccessRule::Kind::kGroup, row.target_id});
  }
  return rules;
}

std::int64_t AgentTokenTable::create(const AgentToken& token, const std::string& hash) {
  return Query(sql_,
               "INSERT INTO agent_tokens (agent_id, name, description, token_hash, created_by_user_id, "
               "created_at, "
               "last_used_at, revoked_at) VALUES (:agent, :name, :description, :hash, :user, :created, 0, 0) "
               "RETURNING id")
      .with("agent", token.agent_id)
      .with("name", token.name)
      .with("description", token.description)
      .with("hash", hash)
      .with("user", token.created_by_user_id)
      .with("created", token.created_at)
      .number();
}

std::optional<AgentToken> AgentTokenTable::by_id(std::int64_t id) {
  return Query(sql_, kTokenColumns + "WHERE id = :id").with("id", id).row<AgentToken>();
}

std::optional<AgentToken> AgentTokenTable::by_hash(const std::string& hash) {
  return Query(sql_, kTokenColumns + "WHERE token_hash = :hash").with("hash", hash).row<AgentToken>();
}

Listed<AgentToken> AgentTokenTable::active(std::int64_t agent_id, Page page) {
  return list(agent_id, Which::kActive, page);
}

Listed<AgentToken> AgentTokenTable::list(std::int64_t agent_id, Which which, Page page) {
  const std::string where =
      std::string("WHERE agent_id = :agent ") + (which == Which::kActive    ? "AND revoked_at = 0 "
                                                 : which == Which::kRevoked ? "AND revoked_at <> 0 "
                                                                            : "");
  return {Query(sql_, kTokenColumns + where + "ORDER BY id DESC LIMIT :limit OFFSET :offset")
              .with("agent", agent_id)
              .with(page)
              .rows<AgentToken>(),
          Query(sql_, "SELECT COUNT(*) FROM agent_tokens " + where).with("agent", agent_id).number()};
}

std::map<std::int64_t, std::int64_t> AgentTokenTable::in_force(const std::vector<std::int64_t>& ids) {
  // Numbers that this process has read before may stand in the text; as parameters they would be too many.
  constexpr std::size_t kAtOnce = 5'000;
  std::map<std::int64_t, std::int64_t> found;
  for (std::size_t at = 0; at < ids.size(); at += kAtOnce) {
    std::string list;
    for (const std::int64_t id : std::span(ids).subspan(at, std::min(kAtOnce, ids.size() - at))) {
      list += (list.empty() ? "" : ",") + std::to_string(id);
    }
    for (const AgentToken& token :
         Query(sql_, kTokenColumns + "WHERE revoked_at = 0 AND id IN (" + list + ")").rows<AgentToken>()) {
      found.emplace(token.id, token.agent_id);
    }
  }
  return found;
}

bool AgentTokenTable::revoke(std::int64_t id, Millis now) {
  return Query(sql_, "UPDATE agent_tokens SET revoked_at = :now WHERE id = :id AND revoked_at = 0")
             .with("now", now)
             .with("id", id)
             .changed() > 0;
}

void AgentTokenTable::touch(std::int64_t id, Millis now) {
  Query(sql_, "UPDATE agent_tokens SET last_used_at = :now WHERE id = :id AND last_used_at < :now")
      .with("now", now)
      .with("id", id)
      .run();
}

}  // namespace towline::control
