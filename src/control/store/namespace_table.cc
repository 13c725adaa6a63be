#include "control/store/namespace_table.h"

#include "control/store/query.h"
#include "control/store/user_table.h"

namespace towline::control {

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, Namespace& n) {
  q.into(n.id).into(n.kind).into(n.name).into(n.path).into(n.full_path).into(n.full_name).into(n.parent_id);
  q.into(n.owner_id).into(n.description).into(n.visibility).into(n.created_at);
}

static void columns(Query& q, Project& p) {
  q.into(p.id).into(p.namespace_id).into(p.name).into(p.path).into(p.full_path).into(p.description);
  q.into(p.visibility).into(p.default_branch).into(p.creator_id).into(p.created_at).into(p.last_activity_at);
}

namespace {

const std::string kNamespaceColumns =
    "SELECT id, kind, name, path, full_path, full_name, COALESCE(parent_id, 0), COALESCE(owner_id, 0), "
    "description, "
    "visibility, created_at FROM namespaces ";

const std::string kProjectColumns =
    "SELECT id, namespace_id, name, path, full_path, description, visibility, default_branch, creator_id, "
    "created_at, "
    "last_activity_at FROM projects ";

// The namespaces in which :user has a role, by ownership, membership or inheritance.
const std::string kMine =
    "WITH RECURSIVE mine (id) AS ("
    "SELECT id FROM namespaces WHERE owner_id = :user OR id IN "
    "(SELECT namespace_id FROM members WHERE user_id = :user AND namespace_id IS NOT NULL) "
    "UNION SELECT n.id FROM namespaces n JOIN mine ON n.parent_id = mine.id), "
    // :space and all below it
    "below (id) AS (SELECT id FROM namespaces WHERE id = :space "
    "UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id) ";

// Columns of the viewer's own membership decide before visibility does.
const std::string kVisibleToAll = "(visibility = 'public' OR (visibility = 'internal' AND :user > 0)) ";

}  // namespace

std::int64_t NamespaceTable::create(const Namespace& space) {
  return Query(sql_,
               "INSERT INTO namespaces (kind, name, path, full_path, full_name, parent_id, owner_id, "
               "description, "
               "visibility, created_at) VALUES (:kind, :name, :path, :full_path, :full_name, NULLIF(:parent, "
               "0), "
               "NULLIF(:owner, 0), :description, :visibility, :created) RETURNING id")
      .with("kind", space.kind)
      .with("name", space.name)
      .with("path", space.path)
      .with("full_path", space.full_path)
      .with("full_name", space.full_name)
      .with("parent", space.parent_id)
      .with("owner", space.owner_id)
      .with("description", space.description)
      .with("visibility", space.visibility)
      .with("created", space.created_at)
      .number();
}

std::optional<Namespace> NamespaceTable::by_id(std::int64_t id) {
  return Query(sql_, kNamespaceColumns + "WHERE id = :id").with("id", id).row<Namespace>();
}

std::optional<Namespace> NamespaceTable::by_path(const std::string& full_path) {
  return Query(sql_, kNamespaceColumns + "WHERE lower(full_path) = lower(:path)")
      .with("path", full_path)
      .row<Namespace>();
}

std::optional<Namespace> NamespaceTable::of_user(std::int64_t user_id) {
  return Query(sql_, kNamespaceColumns + "WHERE kind = 'user' AND owner_id = :owner")
      .with("owner", user_id)
      .row<Namespace>();
}

Listed<Namespace> NamespaceTable::groups(const Filter& filter, Page page) {
  const std::string where =
      "WHERE kind = 'group' AND ((:admin = 1 AND :member = 0) OR id IN (SELECT id FROM mine) OR (:member = 0 "
      "AND " +
      kVisibleToAll +
      ")) AND (:space = 0 OR parent_id = :space) AND (:top = 0 OR parent_id IS NULL) "
      "AND (:search = '' OR lower(full_path || ' ' || name) LIKE lower(:pattern) ESCAPE '\\') ";
  const auto bind = [&](Query& q) -> Query& {
    return q.with("user", filter.viewer.user_id)
        .with("admin", filter.viewer.admin)
        .with("member", filter.member_only)
        .with("space", filter.parent_id)
        .with("top", filter.top_level_only)
        .with("search", filter.search)
        .with("pattern", like_pattern(filter.search));
  };
  Query count(sql_, kMine + "SELECT COUNT(*) FROM namespaces " + where);
  Query rows(sql_,
             kMine + kNamespaceColumns + where + "ORDER BY lower(full_path) LIMIT :limit OFFSET :offset");
  return {bind(rows).with(page).rows<Namespace>(), bind(count).number()};
}

void NamespaceTable::update(const Namespace& space) {
  Query(sql_,
        "UPDATE namespaces SET name = :name, full_name = :full_name, description = :description, "
        "visibility = :visibility WHERE id = :id")
      .with("name", space.name)
      .with("full_name", space.full_name)
      .with("description", space.description)
      .with("visibility", space.visibility)
      .with("id", space.id)
      .run();
}

void NamespaceTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM namespaces WHERE id = :id").with("id", id).run();
}

std::int64_t ProjectTable::create(const Project& project) {
  return Query(sql_,
               "INSERT INTO projects (namespace_id, name, path, full_path, description, visibility, "
               "default_branch, "
               "creator_id, created_at, last_activity_at) VALUES (:namespace, :name, :path, :full_path, "
               ":description, :visibility, :branch, :creator, :created, :created) RETURNING id")
      .with("namespace", project.namespace_id)
      .with("name", project.name)
      .with("path", project.path)
      .with("full_path", project.full_path)
      .with("description", project.description)
      .with("visibility", project.visibility)
      .with("branch", project.default_branch)
      .with("creator", project.creator_id)
      .with("created", project.created_at)
      .number();
}

std::optional<Project> ProjectTable::by_id(std::int64_t id) {
  return Query(sql_, kProjectColumns + "WHERE id = :id").with("id", id).row<Project>();
}

std::optional<Project> ProjectTable::by_path(const std::string& full_path) {
  return Query(sql_, kProjectColumns + "WHERE lower(full_path) = lower(:path)")
      .with("path", full_path)
      .row<Project>();
}

Listed<Project> ProjectTable::list(const Filter& filter, Page page) {
  const std::string where =
      "WHERE ((:admin = 1 AND :member = 0) OR namespace_id IN (SELECT id FROM mine) OR id IN "
      "(SELECT project_id FROM members WHERE user_id = :user AND project_id IS NOT NULL) OR (:member = 0 "
      "AND " +
      kVisibleToAll +
      ")) AND (:space = 0 OR namespace_id = :space OR (:deep = 1 AND namespace_id IN (SELECT id FROM "
      "below))) "
      "AND (:search = '' OR lower(full_path || ' ' || name) LIKE lower(:pattern) ESCAPE '\\') ";
  const auto bind = [&](Query& q) -> Query& {
    return q.with("user", filter.viewer.user_id)
        .with("admin", filter.viewer.admin)
        .with("member", filter.member_only)
        .with("space", filter.namespace_id)
        .with("deep", filter.include_subgroups)
        .with("search", filter.search)
        .with("pattern", like_pattern(filter.search));
  };
  Query count(sql_, kMine + "SELECT COUNT(*) FROM projects " + where);
  Query rows(sql_, kMine + kProjectColumns + where +
                       "ORDER BY CASE WHEN :ascending = 1 THEN id ELSE -id END LIMIT :limit OFFSET :offset");
  return {bind(rows).with("ascending", filter.ascending).with(page).rows<Project>(), bind(count).number()};
}

std::vector<Project> ProjectTable::below(std::int64_t namespace_id) {
  return Query(sql_, kMine + kProjectColumns + "WHERE namespace_id IN (SELECT id FROM below) ORDER BY id")
      .with("user", std::int64_t{0})
      .with("space", namespace_id)
      .rows<Project>();
}

void ProjectTable::update(const Project& project) {
  Query(sql_,
        "UPDATE projects SET name = :name, path = :path, full_path = :full_path, description = :description, "
        "visibility = :visibility, default_branch = :branch, last_activity_at = :activity WHERE id = :id")
      .with("name", project.name)
      .with("path", project.path)
      .with("full_path", project.full_path)
      .with("description", project.description)
      .with("visibility", project.visibility)
      .with("branch", project.default_branch)
      .with("activity", project.last_activity_at)
      .with("id", project.id)
      .run();
}

void ProjectTable::remove(std::int64_t id) {
  Query(sql_, "DELETE FROM projects WHERE id = :id").with("id", id).run();
}

}  // namespace towline::control
