#include "control/store/member_table.h"

#include "control/store/query.h"

namespace towline::control {

// Found by argument-dependent lookup from Query::rows, hence outside the unnamed namespace.
static void columns(Query& q, Member& m) {
  q.into(m.user.id).into(m.user.username).into(m.user.name).into(m.user.email).into(m.user.state);
  q.into(m.user.admin).into(m.user.created_at).into(m.role).into(m.created_at);
}

static void columns(Query& q, MemberTable::Membership& m) {
  q.into(m.place.namespace_id).into(m.place.project_id).into(m.role);
}

namespace {

// :space and the groups above it.
const std::string kUp =
    "WITH RECURSIVE up (id, parent_id, owner_id) AS ("
    "SELECT id, parent_id, owner_id FROM namespaces WHERE id = :space "
    "UNION ALL SELECT n.id, n.parent_id, n.owner_id FROM namespaces n JOIN up ON n.id = up.parent_id) ";

const std::string kDirect = "(members.namespace_id = :space OR members.project_id = :project) ";

const std::string kMemberColumns =
    "SELECT users.id, username, name, email, state, admin, users.created_at, MAX(access_level), "
    "MIN(members.created_at) FROM members JOIN users ON users.id = members.user_id ";
const std::string kOnePerUser = "GROUP BY users.id, username, name, email, state, admin, users.created_at ";

Query& bind(Query& q, MemberTable::Place place) {
  return q.with("space", place.namespace_id).with("project", place.project_id);
}

}  // namespace

void MemberTable::add(std::int64_t user_id, Place place, Role role, Millis now) {
  Query q(
      sql_,
      "INSERT INTO members (user_id, namespace_id, project_id, access_level, created_at) "
      "VALUES (:user, NULLIF(CAST(:space AS BIGINT), 0), NULLIF(CAST(:project AS BIGINT), 0), :level, :now)");
  bind(q, place).with("user", user_id).with("level", role).with("now", now).run();
}

bool MemberTable::set_role(std::int64_t user_id, Place place, Role role) {
  Query q(sql_, "UPDATE members SET access_level = :level WHERE user_id = :user AND " + kDirect);
  return bind(q, place).with("user", user_id).with("level", role).changed() > 0;
}

bool MemberTable::remove(std::int64_t user_id, Place place) {
  Query q(sql_, "DELETE FROM members WHERE user_id = :user AND " + kDirect);
  return bind(q, place).with("user", user_id).changed() > 0;
}

std::optional<Member> MemberTable::direct(std::int64_t user_id, Place place) {
  Query q(sql_, kMemberColumns + "WHERE members.user_id = :user AND " + kDirect + kOnePerUser);
  return bind(q, place).with("user", user_id).row<Member>();
}

Listed<Member> MemberTable::direct_members(Place place, Page page) {
  Query count(sql_, "SELECT COUNT(*) FROM members WHERE " + kDirect);
  Query rows(sql_, kMemberColumns + "WHERE " + kDirect + kOnePerUser +
                       "ORDER BY users.id LIMIT :limit OFFSET :offset");
  return {bind(rows, place).with(page).rows<Member>(), bind(count, place).number()};
}

Listed<Member> MemberTable::all_members(Place place, Page page) {
  if (place.project_id != 0) {
    place.namespace_id =
        Query(sql_, "SELECT namespace_id FROM projects WHERE id = :id").with("id", place.project_id).number();
  }
  const std::string where =
      "WHERE members.id IN (SELECT id FROM members WHERE project_id = :project UNION ALL "
      "SELECT m.id FROM members m JOIN up ON m.namespace_id = up.id) ";
  Query count(sql_, kUp + "SELECT COUNT(DISTINCT user_id) FROM members " + where);
  Query rows(sql_,
             kUp + kMemberColumns + where + kOnePerUser + "ORDER BY users.id LIMIT :limit OFFSET :offset");
  return {bind(rows, place).with(page).rows<Member>(), bind(count, place).number()};
}

std::vector<MemberTable::Membership> MemberTable::below(std::int64_t user_id, std::int64_t namespace_id,
                                                        std::int64_t limit) {
  // From each membership upwards, because people are members of few and groups hold many.
  return Query(sql_,
               "WITH RECURSIVE mine (member_id, space) AS ("
               "SELECT m.id, COALESCE(n.parent_id, p.namespace_id) FROM members m "
               "LEFT JOIN namespaces n ON n.id = m.namespace_id LEFT JOIN projects p ON p.id = m.project_id "
               "WHERE m.user_id = :user "
               "UNION SELECT mine.member_id, n.parent_id FROM mine JOIN namespaces n ON n.id = mine.space "
               "WHERE n.parent_id IS NOT NULL) "
               "SELECT COALESCE(m.namespace_id, 0), COALESCE(m.project_id, 0), m.access_level FROM members m "
               "WHERE m.id IN (SELECT member_id FROM mine WHERE space = :space) "
               "ORDER BY m.access_level DESC, m.id LIMIT :limit")
      .with("user", user_id)
      .with("space", namespace_id)
      .with("limit", limit)
      .rows<Membership>();
}

Role MemberTable::role_in_namespace(std::int64_t user_id, std::int64_t namespace_id) {
  return highest(user_id, namespace_id, 0);
}

Role MemberTable::role_in_project(std::int64_t user_id, const Project& project) {
  return highest(user_id, project.namespace_id, project.id);
}

Role MemberTable::highest(std::int64_t user_id, std::int64_t namespace_id, std::int64_t project_id) {
  Query q(sql_, kUp +
                    "SELECT COALESCE(MAX(level), 0) FROM ("
                    "SELECT access_level AS level FROM members WHERE user_id = :user AND "
                    "(project_id = :project OR namespace_id IN (SELECT id FROM up)) "
                    "UNION ALL SELECT 50 AS level FROM up WHERE owner_id = :user) AS levels");
  return static_cast<Role>(bind(q, {namespace_id, project_id}).with("user", user_id).number());
}

}  // namespace towline::control
