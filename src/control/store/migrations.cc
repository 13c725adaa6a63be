#include "control/store/migrations.h"

#include <array>
#include <string>

#include <soci/soci.h>

namespace towline::control {
namespace {

constexpr std::string_view kFirst = R"sql(
CREATE TABLE users (
  id @ID@,
  username TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  state TEXT NOT NULL,
  admin BIGINT NOT NULL,
  password_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE TABLE personal_access_tokens (
  id @ID@,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL);
CREATE INDEX personal_access_tokens_user ON personal_access_tokens (user_id);
CREATE TABLE namespaces (
  id @ID@,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  full_path TEXT NOT NULL,
  full_name TEXT NOT NULL,
  parent_id BIGINT REFERENCES namespaces (id) ON DELETE CASCADE,
  owner_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
  description TEXT NOT NULL,
  visibility TEXT NOT NULL,
  created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX namespaces_full_path ON namespaces (lower(full_path));
CREATE INDEX namespaces_parent ON namespaces (parent_id);
CREATE INDEX namespaces_owner ON namespaces (owner_id);
CREATE TABLE projects (
  id @ID@,
  namespace_id BIGINT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  full_path TEXT NOT NULL,
  description TEXT NOT NULL,
  visibility TEXT NOT NULL,
  default_branch TEXT NOT NULL,
  creator_id BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_activity_at BIGINT NOT NULL);
CREATE UNIQUE INDEX projects_full_path ON projects (lower(full_path));
CREATE INDEX projects_namespace ON projects (namespace_id);
CREATE TABLE members (
  id @ID@,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  namespace_id BIGINT REFERENCES namespaces (id) ON DELETE CASCADE,
  project_id BIGINT REFERENCES projects (id) ON DELETE CASCADE,
  access_level BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  CHECK ((namespace_id IS NULL) <> (project_id IS NULL)));
CREATE UNIQUE INDEX members_namespace ON members (namespace_id, user_id);
CREATE UNIQUE INDEX members_project ON members (project_id, user_id);
CREATE INDEX members_user ON members (user_id);
CREATE TABLE agents (
  id @ID@,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  created_by_user_id BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_contact_at BIGINT NOT NULL);
CREATE UNIQUE INDEX agents_name ON agents (project_id, name);
CREATE TABLE agent_tokens (
  id @ID@,
  agent_id BIGINT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  created_by_user_id BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL);
CREATE INDEX agent_tokens_agent ON agent_tokens (agent_id);
CREATE TABLE agent_presence (
  agent_id BIGINT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  pod_id BIGINT NOT NULL,
  version TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  pod_namespace TEXT NOT NULL,
  pod_name TEXT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  PRIMARY KEY (agent_id, pod_id));
CREATE TABLE agent_configurations (
  agent_id BIGINT NOT NULL PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
  commit_id TEXT NOT NULL,
  content TEXT NOT NULL,
  fault TEXT NOT NULL,
  fault_commit_id TEXT NOT NULL,
  updated_at BIGINT NOT NULL);
CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL);
)sql";

constexpr std::string_view kSecond = R"sql(
DROP TABLE agent_presence;
CREATE TABLE agent_connections (
  id BIGINT NOT NULL PRIMARY KEY,
  agent_id BIGINT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  version TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  pod_namespace TEXT NOT NULL,
  pod_name TEXT NOT NULL,
  connected_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL);
CREATE INDEX agent_connections_agent ON agent_connections (agent_id);
ALTER TABLE agents ADD COLUMN last_version TEXT NOT NULL DEFAULT '';
CREATE TABLE agent_events (
  id @ID@,
  agent_id BIGINT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  user_id BIGINT NOT NULL,
  token_id BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL);
CREATE INDEX agent_events_agent ON agent_events (agent_id, recorded_at);
ALTER TABLE agent_configurations ADD COLUMN warnings TEXT NOT NULL DEFAULT '';
CREATE TABLE sessions (
  id @ID@,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE TABLE audit_events (
  id @ID@,
  at BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  username TEXT NOT NULL,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL);
CREATE TABLE environments (
  id @ID@,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  slug TEXT NOT NULL,
  state TEXT NOT NULL,
  tier TEXT NOT NULL,
  external_url TEXT NOT NULL,
  description TEXT NOT NULL,
  cluster_agent_id BIGINT REFERENCES agents (id) ON DELETE SET NULL,
  kubernetes_namespace TEXT NOT NULL,
  flux_resource_path TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL);
CREATE UNIQUE INDEX environments_name ON environments (project_id, name);
CREATE UNIQUE INDEX environments_slug ON environments (project_id, slug);
CREATE INDEX environments_agent ON environments (cluster_agent_id);
CREATE TABLE url_configurations (
  id @ID@,
  agent_id BIGINT NOT NULL UNIQUE REFERENCES agents (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  public_key TEXT NOT NULL,
  private_key TEXT NOT NULL,
  client_cert TEXT NOT NULL,
  client_key TEXT NOT NULL,
  ca_cert TEXT NOT NULL,
  tls_host TEXT NOT NULL,
  created_by_user_id BIGINT NOT NULL,
  created_at BIGINT NOT NULL);
CREATE TABLE protected_branches (
  id @ID@,
  project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  push_access_level BIGINT NOT NULL,
  allow_force_push BIGINT NOT NULL);
CREATE UNIQUE INDEX protected_branches_name ON protected_branches (project_id, name);
ALTER TABLE users ADD COLUMN bot_project_id BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_bot_project ON users (bot_project_id);
)sql";

constexpr std::string_view kThird = R"sql(
CREATE INDEX namespaces_visibility ON namespaces (visibility);
CREATE INDEX projects_visibility ON projects (visibility);
CREATE INDEX sessions_expiry ON sessions (expires_at);
)sql";

// What a configuration that was stored before lists is looked up when it is loaded next, once.
constexpr std::string_view kFourth = R"sql(
CREATE TABLE agent_access (
  id @ID@,
  agent_id BIGINT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  commit_id TEXT NOT NULL,
  section TEXT NOT NULL CHECK (section IN ('user_access', 'ci_access')),
  kind TEXT NOT NULL CHECK (kind IN ('project', 'group')),
  target_id BIGINT NOT NULL);
CREATE UNIQUE INDEX agent_access_entry ON agent_access (agent_id, section, kind, target_id);
CREATE INDEX agent_access_target ON agent_access (kind, target_id);
ALTER TABLE agent_configurations ADD COLUMN resolved BIGINT NOT NULL DEFAULT 0;
CREATE INDEX audit_events_at ON audit_events (at);
)sql";

constexpr std::array<Migration, 4> kMigrations = {{{1, kFirst}, {2, kSecond}, {3, kThird}, {4, kFourth}}};

std::string for_engine(const soci::session& sql, std::string_view text) {
  const std::string key = sql.get_backend_name() == "postgresql"
                              ? "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
                              : "INTEGER PRIMARY KEY AUTOINCREMENT";
  std::string out(text);
  for (auto at = out.find("@ID@"); at != std::string::npos; at = out.find("@ID@", at))
    out.replace(at, 4, key);
  return out;
}

void apply(soci::session& sql, const Migration& migration) {
  std::string_view rest = migration.statements;
  for (auto end = rest.find(";\n"); end != std::string_view::npos; end = rest.find(";\n")) {
    sql << for_engine(sql, rest.substr(0, end));
    rest.remove_prefix(end + 2);
  }
  sql << "INSERT INTO schema_migrations (version) VALUES (:version)", soci::use(migration.version, "version");
}

}  // namespace

std::span<const Migration> all_migrations() { return kMigrations; }

Status migrate(soci::session& sql, std::span<const Migration> migrations) {
  sql << "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL PRIMARY KEY)";
  int done = 0;
  sql << "SELECT COALESCE(MAX(version), 0) FROM schema_migrations", soci::into(done);
  const int known = migrations.empty() ? 0 : migrations.back().version;
  if (done > known) {
    return {Code::kFailedPrecondition, "its schema has version " + std::to_string(done) +
                                           ", this program knows " + std::to_string(known) +
                                           ": run the newer program"};
  }
  for (const Migration& migration : migrations) {
    if (migration.version > done) apply(sql, migration);
  }
  return {};
}

}  // namespace towline::control
