#include "control/store/namespace_table.h"

#include "control/store/query.h"
#include "control/store/user_table.h"
#include "control/store/where.h"

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
    "mine (id) AS (SELECT id FROM namespaces WHERE owner_id = :user "
    "UNION SELECT namespace_id FROM members WHERE user_id = :user AND namespace_id IS NOT NULL "
    "UNION SELECT n.id FROM namespaces n JOIN mine ON n.parent_id = mine.id) ";

// :space and all below it.
const std::string kBelow =
    "below (id) AS (SELECT id FROM namespaces WHERE id = :space "
    "UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id) ";

// Which ones everybody sees, and every user.
std::string open_to(const Viewer& viewer) {
  return viewer.user_id > 0 ? "visibility IN ('public', 'internal') " : "visibility = 'public' ";
}

void add_search(Where& where, const std::string& search) {
  if (search.empty()) return;
  where.add("lower(full_path || ' ' || name) LIKE lower(:pattern) ESCAPE '\\'")
      .text("pattern", like_pattern(search));
}

}  // namespace

std::int64_t NamespaceTable::create(const Namespace& space) {
  return Query(sql_,
               "INSERT INTO namespaces (kind, name, path, full_path, full_name, parent_id, owner_id, "
               "description, "
               "visibility, created_at) VALUES (:kind, :name, :path, :full_path, :full_name, "
               "NULLIF(CAST(:parent AS BIGINT), 0), NULLIF(CAST(:owner AS BIGINT), 0), :description, "
               ":visibility, :created) RETURNING id")
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
  Where where;
  std::string with;
  where.add("kind = 'group'");
  if (filter.member_only || !filter.viewer.admin) {
    with = "WITH RECURSIVE " + kMine;
    const std::string others =
        filter.member_only ? "" : "UNION SELECT id FROM namespaces WHERE " + open_to(filter.viewer);
    where.add("id IN (SELECT id FROM mine " + others + ")").number("user", filter.viewer.user_id);
  }
  if (filter.parent_id != 0) where.add("parent_id = :space").number("space", filter.parent_id);
  if (filter.top_level_only) where.add("parent_id IS NULL");
  add_search(where, filter.search);
  Query count(sql_, with + "SELECT COUNT(*) FROM namespaces " + where.text());
  Query rows(sql_, with + kNamespaceColumns + where.text() +
                       "ORDER BY lower(full_path) LIMIT :limit OFFSET :offset");
  return {where.bind(rows).with(page).rows<Namespace>(), where.bind(count).number()};
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
  Where where;
  std::string with;
  if (filter.member_only || !filter.viewer.admin) {
    with = kMine;
    const std::string others =
        filter.member_only ? "" : "UNION SELECT id FROM projects WHERE " + open_to(filter.viewer);
    where
        .add(
            "id IN (SELECT id FROM projects WHERE namespace_id IN (SELECT id FROM mine) UNION SELECT "
            "project_id FROM members WHERE user_id = :user AND project_id IS NOT NULL " +
            others + ")")
        .number("user", filter.viewer.user_id);
  }
  if (filter.namespace_id != 0) {
    if (filter.include_subgroups) with += (with.empty() ? "" : ", ") + kBelow;
    where.add(filter.include_subgroups ? "namespace_id IN (SELECT id FROM below)" : "namespace_id = :space")
        .number("space", filter.namespace_id);
  }
  if (!with.empty()) with = "WITH RECURSIVE " + with;
  add_search(where, filter.search);
  Query count(sql_, with + "SELECT COUNT(*) FROM projects " + where.text());
  Query rows(sql_, with + kProjectColumns + where.text() + "ORDER BY id " +
                       (filter.ascending ? "ASC" : "DESC") + " LIMIT :limit OFFSET :offset");
  return {where.bind(rows).with(page).rows<Project>(), where.bind(count).number()};
}

std::vector<Project> ProjectTable::below(std::int64_t namespace_id) {
  return Query(sql_, "WITH RECURSIVE " + kBelow + kProjectColumns +
                         "WHERE namespace_id IN (SELECT id FROM below) ORDER BY id")
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
