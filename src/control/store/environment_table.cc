#include "control/store/environment_table.h"

#include "control/store/query.h"
#include "control/store/user_table.h"
#include "control/store/where.h"

namespace towline::control {

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, Environment& e) {
  q.into(e.id).into(e.project_id).into(e.name).into(e.slug).into(e.state).into(e.tier).into(e.external_url);
  q.into(e.description).into(e.cluster_agent_id).into(e.kubernetes_namespace).into(e.flux_resource_path);
  q.into(e.created_at).into(e.updated_at);
}

static void columns(Query& q, UrlConfiguration& u) {
  q.into(u.id).into(u.agent_id).into(u.url).into(u.public_key).into(u.private_key).into(u.client_cert);
  q.into(u.client_key).into(u.ca_cert).into(u.tls_host).into(u.created_by_user_id).into(u.created_at);
}

static void columns(Query& q, ProtectedBranch& b) {
  q.into(b.id).into(b.project_id).into(b.name).into(b.push_access_level).into(b.allow_force_push);
}

namespace {

const std::string kEnvironmentColumns =
    "SELECT id, project_id, name, slug, state, tier, external_url, description, COALESCE(cluster_agent_id, "
    "0), "
    "kubernetes_namespace, flux_resource_path, created_at, updated_at FROM environments ";
const std::string kUrlColumns =
    "SELECT id, agent_id, url, public_key, private_key, client_cert, client_key, ca_cert, tls_host, "
    "created_by_user_id, created_at FROM url_configurations ";
const std::string kBranchColumns =
    "SELECT id, project_id, name, push_access_level, allow_force_push FROM protected_branches ";

Query& bind(Query& q, const Environment& e) {
  return q.with("name", e.name)
      .with("slug", e.slug)
      .with("state", e.state)
      .with("tier", e.tier)
      .with("url", e.external_url)
      .with("description", e.description)
      .with("agent", e.cluster_agent_id)
      .with("namespace", e.kubernetes_namespace)
      .with("flux", e.flux_resource_path)
      .with("updated", e.updated_at);
}

}  // namespace

std::int64_t EnvironmentTable::create(const Environment& environment) {
  Query insert(sql_,
               "INSERT INTO environments (project_id, name, slug, state, tier, external_url, description, "
               "cluster_agent_id, kubernetes_namespace, flux_resource_path, created_at, updated_at) VALUES "
               "(:project, :name, :slug, :state, :tier, :url, :description, NULLIF(CAST(:agent AS BIGINT), "
               "0), :namespace, :flux, "
               ":created, :updated) RETURNING id");
  return bind(insert, environment)
      .with("project", environment.project_id)
      .with("created", environment.created_at)
      .number();
}

void EnvironmentTable::update(const Environment& environment) {
  Query update(
      sql_,
      "UPDATE environments SET name = :name, slug = :slug, state = :state, tier = :tier, external_url = "
      ":url, description = :description, cluster_agent_id = NULLIF(CAST(:agent AS BIGINT), 0), "
      "kubernetes_namespace = "
      ":namespace, flux_resource_path = :flux, updated_at = :updated WHERE id = :id");
  bind(update, environment).with("id", environment.id).run();
}

void EnvironmentTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM environments WHERE id = :id").with("id", id).run();
}

std::optional<Environment> EnvironmentTable::by_id(std::int64_t id) {
  return Query(sql_, kEnvironmentColumns + "WHERE id = :id").with("id", id).row<Environment>();
}

std::optional<Environment> EnvironmentTable::by_name(std::int64_t project_id, const std::string& name) {
  return Query(sql_, kEnvironmentColumns + "WHERE project_id = :project AND name = :name")
      .with("project", project_id)
      .with("name", name)
      .row<Environment>();
}

bool EnvironmentTable::slug_taken(std::int64_t project_id, const std::string& slug) {
  return Query(sql_, "SELECT COUNT(*) FROM environments WHERE project_id = :project AND slug = :slug")
             .with("project", project_id)
             .with("slug", slug)
             .number() > 0;
}

Listed<Environment> EnvironmentTable::list(const Filter& filter, Page page) {
  Where where;
  where.add("project_id = :project").number("project", filter.project_id);
  if (!filter.name.empty()) where.add("name = :name").text("name", filter.name);
  if (!filter.state.empty()) where.add("state = :state").text("state", filter.state);
  if (!filter.search.empty()) {
    where.add("lower(name) LIKE lower(:pattern) ESCAPE '\\'").text("pattern", like_pattern(filter.search));
  }
  Query count(sql_, "SELECT COUNT(*) FROM environments " + where.text());
  Query rows(sql_, kEnvironmentColumns + where.text() + "ORDER BY name LIMIT :limit OFFSET :offset");
  return {where.bind(rows).with(page).rows<Environment>(), where.bind(count).number()};
}

std::int64_t UrlConfigurationTable::create(const UrlConfiguration& configuration) {
  return Query(sql_,
               "INSERT INTO url_configurations (agent_id, url, public_key, private_key, client_cert, "
               "client_key, "
               "ca_cert, tls_host, created_by_user_id, created_at) VALUES (:agent, :url, :public, :private, "
               ":cert, "
               ":key, :ca, :host, :user, :created) RETURNING id")
      .with("agent", configuration.agent_id)
      .with("url", configuration.url)
      .with("public", configuration.public_key)
      .with("private", configuration.private_key)
      .with("cert", configuration.client_cert)
      .with("key", configuration.client_key)
      .with("ca", configuration.ca_cert)
      .with("host", configuration.tls_host)
      .with("user", configuration.created_by_user_id)
      .with("created", configuration.created_at)
      .number();
}

std::optional<UrlConfiguration> UrlConfigurationTable::by_id(std::int64_t id) {
  return Query(sql_, kUrlColumns + "WHERE id = :id").with("id", id).row<UrlConfiguration>();
}

std::optional<UrlConfiguration> UrlConfigurationTable::of_agent(std::int64_t agent_id) {
  return Query(sql_, kUrlColumns + "WHERE agent_id = :agent").with("agent", agent_id).row<UrlConfiguration>();
}

std::vector<UrlConfiguration> UrlConfigurationTable::all() {
  return Query(sql_, kUrlColumns + "ORDER BY id").rows<UrlConfiguration>();
}

void UrlConfigurationTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM url_configurations WHERE id = :id").with("id", id).run();
}

std::int64_t ProtectedBranchTable::create(const ProtectedBranch& branch) {
  return Query(sql_,
               "INSERT INTO protected_branches (project_id, name, push_access_level, allow_force_push) "
               "VALUES (:project, :name, :push, :force) RETURNING id")
      .with("project", branch.project_id)
      .with("name", branch.name)
      .with("push", branch.push_access_level)
      .with("force", branch.allow_force_push)
      .number();
}

std::optional<ProtectedBranch> ProtectedBranchTable::by_name(std::int64_t project_id,
                                                             const std::string& name) {
  return Query(sql_, kBranchColumns + "WHERE project_id = :project AND name = :name")
      .with("project", project_id)
      .with("name", name)
      .row<ProtectedBranch>();
}

std::vector<ProtectedBranch> ProtectedBranchTable::of_project(std::int64_t project_id) {
  return Query(sql_, kBranchColumns + "WHERE project_id = :project ORDER BY name")
      .with("project", project_id)
      .rows<ProtectedBranch>();
}

void ProtectedBranchTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM protected_branches WHERE id = :id").with("id", id).run();
}

}  // namespace towline::control
