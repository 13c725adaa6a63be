// What the API says of each kind of record.
#include <boost/json.hpp>

#include "control/api/respond.h"

namespace towline::control::api {
namespace json = boost::json;

namespace {

// "host" of "https://host:port/base".
std::string host_of(std::string_view url) {
  const auto start = url.find("://");
  if (start != std::string_view::npos) url.remove_prefix(start + 3);
  return std::string(url.substr(0, url.find_first_of(":/")));
}

json::array scope_list(const AccessToken& token) {
  json::array scopes;
  for (const std::string_view scope : kScopes) {
    if (token.has_scope(scope)) scopes.emplace_back(scope);
  }
  return scopes;
}

}  // namespace

json::object render(const Core& core, const User& user, bool with_email) {
  json::object out{{"id", user.id},         {"username", user.username},
                   {"name", user.name},     {"state", user.state},
                   {"avatar_url", nullptr}, {"web_url", core.external_url + "/" + user.username}};
  if (with_email) {
    out["email"] = user.email;
    out["public_email"] = nullptr;
    out["created_at"] = json_time(user.created_at);
    out["is_admin"] = user.admin;
  }
  return out;
}

json::object render(const AccessToken& token, Millis now) {
  return {{"id", token.id},
          {"name", token.name},
          {"revoked", token.revoked_at != 0},
          {"created_at", json_time(token.created_at)},
          {"scopes", scope_list(token)},
          {"user_id", token.user_id},
          {"last_used_at", json_time(token.last_used_at)},
          {"active", token.valid_at(now)},
          {"expires_at", json_date(token.expires_at)}};
}

json::object render(const Core& core, const Namespace& space) {
  const std::string prefix = space.is_group() ? "/groups/" : "/";
  return {{"id", space.id},
          {"name", space.name},
          {"path", space.path},
          {"kind", space.kind},
          {"full_path", space.full_path},
          {"parent_id", json_id(space.parent_id)},
          {"avatar_url", nullptr},
          {"web_url", core.external_url + prefix + space.full_path}};
}

json::object render_group(const Core& core, const Namespace& group) {
  return {{"id", group.id},
          {"web_url", core.external_url + "/groups/" + group.full_path},
          {"name", group.name},
          {"path", group.path},
          {"description", group.description},
          {"visibility", group.visibility},
          {"full_name", group.full_name},
          {"full_path", group.full_path},
          {"created_at", json_time(group.created_at)},
          {"parent_id", json_id(group.parent_id)},
          {"avatar_url", nullptr}};
}

json::object render_short(const Project& project, const Namespace& space) {
  return {{"id", project.id},
          {"description", project.description},
          {"name", project.name},
          {"name_with_namespace", space.full_name + " / " + project.name},
          {"path", project.path},
          {"path_with_namespace", project.full_path},
          {"created_at", json_time(project.created_at)}};
}

json::object render(const Core& core, const Project& project, const Namespace& space) {
  json::object out = render_short(project, space);
  const std::string url = core.external_url + "/" + project.full_path;
  out["default_branch"] = project.default_branch;
  out["visibility"] = project.visibility;
  out["http_url_to_repo"] = url + ".git";
  out["ssh_url_to_repo"] = "git@" + host_of(core.external_url) + ":" + project.full_path + ".git";
  out["web_url"] = url;
  out["readme_url"] = nullptr;
  out["avatar_url"] = nullptr;
  out["archived"] = false;
  out["creator_id"] = project.creator_id;
  out["last_activity_at"] = json_time(project.last_activity_at);
  out["namespace"] = render(core, space);
  return out;
}

json::object render(const Core& core, const Member& member) {
  json::object out = render(core, member.user, false);
  out["access_level"] = static_cast<int>(member.role);
  out["created_at"] = json_time(member.created_at);
  out["expires_at"] = nullptr;
  return out;
}

json::object render(const AgentRecord& agent, const Project& project, const Namespace& space) {
  return {{"id", agent.id},
          {"name", agent.name},
          {"config_project", render_short(project, space)},
          {"created_at", json_time(agent.created_at)},
          {"created_by_user_id", json_id(agent.created_by_user_id)},
          {"is_receptive", agent.receptive}};
}

json::object render(const AgentToken& token, bool with_last_use) {
  json::object out{{"id", token.id},
                   {"name", token.name},
                   {"description", token.description},
                   {"agent_id", token.agent_id},
                   {"status", token.revoked_at == 0 ? "active" : "revoked"},
                   {"created_at", json_time(token.created_at)},
                   {"created_by_user_id", json_id(token.created_by_user_id)}};
  if (with_last_use) out["last_used_at"] = json_time(token.last_used_at);
  return out;
}

}  // namespace towline::control::api
