#include <boost/json.hpp>

#include "base/installation.h"
#include "control/api/agents.h"
#include "control/config/configuration_file.h"
#include "control/domain/agents.h"
#include "control/domain/configurations.h"
#include "control/domain/usage.h"
#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

constexpr Role kRead = kReadAgents;
constexpr Role kChange = kChangeAgents;

}  // namespace

Result<FoundAgent> find_agent(Context& context, Role needed) {
  auto project = find_project(context, needed);
  if (!project) return fail(project.error());
  const std::int64_t id = context.number("agent_id");
  auto agent = context.core.db.read([&](soci::session& sql) { return AgentTable(sql).by_id(id); });
  if (!agent) return fail(agent.error());
  if (!*agent || (*agent)->project_id != project->project.id)
    return fail(Code::kNotFound, "404 Agent Not Found");
  return FoundAgent{std::move(*project), std::move(**agent)};
}

json::object installation(const Core& core, const AgentRecord& agent, const std::string& token) {
  const bool own_ca = !core.ca_certificate.empty();
  json::array commands;
  if (own_ca) commands.emplace_back("cat > ca.pem <<'PEM'\n" + core.ca_certificate + "PEM");
  for (std::string& command : installation_commands({.agent_name = agent.name,
                              .agent_id = std::to_string(agent.id),
                              .server_url = core.external_url,
                              .kas_address = core.kas_external_url,
                              .version = core.version,
                              .token = token,
                              .ca_file = own_ca ? "ca.pem" : "",
                              .image_repository = core.agent_image})) {
    commands.emplace_back(std::move(command));
  }
  std::string text;
  for (const json::value& command : commands) {
    text += (text.empty() ? "" : "\n") + std::string(command.as_string());
  }
  return {{"text", text}, {"commands", commands}};
}

namespace {

// A configuration that cannot be judged is that agent's alone: the list is of all of them.
ConfigurationVerdict verdict_of(Core& core, const AgentRecord& agent) {
  auto verdict = core.configurations.verdict(agent.id);
  if (verdict) return std::move(*verdict);
  const std::string path = config::configuration_path(agent.name);
  core.log.warn("agent configuration cannot be read now",
                {{"agent_id", agent.id}, {"error", verdict.error().to_string()}});
  return {.state = "invalid",
          .path = path,
          .commit_id = {},
          .content = {},
          .fault = path + ": cannot be read now"};
}

// Beside each agent, in the order given: how it is, and what its configuration is worth.
Status add_status(Context& context, const Project& project, const std::vector<AgentRecord>& agents,
                  json::array& items) {
  auto connections = context.core.db.read([&](soci::session& sql) {
    return AgentConnectionTable(sql).of_project(project.id, context.core.now());
  });
  if (!connections) return connections.error();
  for (std::size_t i = 0; i < agents.size(); ++i) {
    std::vector<AgentConnection> own;
    for (const AgentConnection& each : *connections) {
      if (each.agent_id == agents[i].id) own.push_back(each);
    }
    json::object& item = items[i].as_object();
    item["status"] = render(status_of(agents[i], own, context.core.version), agents[i]);
    item["configuration"] = render(verdict_of(context.core, agents[i]));
  }
  return {};
}

Result<http::Response> list_agents(Context& context) {
  auto project = find_project(context, kRead);
  if (!project) return fail(project.error());
  const Page page = context.params.page();
  const bool with_status = context.params.flag("with_status");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  if (with_status) context.core.usage.flush();
  auto agents = context.core.db.read(
      [&](soci::session& sql) { return AgentTable(sql).list(project->project.id, page); });
  if (!agents) return fail(agents.error());
  json::array items;
  for (const AgentRecord& agent : agents->items) {
    items.emplace_back(render(agent, project->project, project->space));
  }
  if (with_status) {
    const Status status = add_status(context, project->project, agents->items, items);
    if (!status.ok()) return fail(status);
  }
  return list_response(context, page, agents->total, std::move(items));
}

Result<http::Response> get_agent(Context& context) {
  const bool with_status = context.params.flag("with_status");
  if (with_status) context.core.usage.flush();
  auto found = find_agent(context, kRead);
  if (!found) return fail(found.error());
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  json::array items{render(found->agent, found->in.project, found->in.space)};
  if (with_status) {
    const Status status = add_status(context, found->in.project, {found->agent}, items);
    if (!status.ok()) return fail(status);
  }
  return json_response(200, items[0]);
}

Result<http::Response> create_agent(Context& context) {
  auto project = find_project(context, kChange);
  if (!project) return fail(project.error());
  // A name that is empty gets the same kind of answer as any other that breaks a rule.
  if (!context.params.has("name")) context.params.refuse("name is missing");
  const std::string name = context.params.text_or("name", "");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto agent = Agents(context.core).create(context.user(), project->project, name);
  if (!agent) return fail(agent.error());
  return json_response(201, render(*agent, project->project, project->space));
}

Result<http::Response> delete_agent(Context& context) {
  auto found = find_agent(context, kChange);
  if (!found) return fail(found.error());
  if (Status status = Agents(context.core).remove(found->agent); !status.ok()) return fail(status);
  return no_content();
}

Result<http::Response> list_tokens(Context& context) {
  auto found = find_agent(context, kRead);
  if (!found) return fail(found.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto tokens = context.core.db.read(
      [&](soci::session& sql) { return AgentTokenTable(sql).active(found->agent.id, page); });
  if (!tokens) return fail(tokens.error());
  json::array items;
  for (const AgentToken& token : tokens->items) items.emplace_back(render(token, false));
  return list_response(context, page, tokens->total, std::move(items));
}

Result<AgentToken> find_token(Context& context, Role needed) {
  auto found = find_agent(context, needed);
  if (!found) return fail(found.error());
  const std::int64_t id = context.number("token_id");
  auto token = context.core.db.read([&](soci::session& sql) { return AgentTokenTable(sql).by_id(id); });
  if (!token) return fail(token.error());
  if (!*token || (*token)->agent_id != found->agent.id || (*token)->revoked_at != 0) {
    return fail(Code::kNotFound, "404 Agent Token Not Found");
  }
  return std::move(**token);
}

Result<http::Response> get_token(Context& context) {
  auto token = find_token(context, kRead);
  if (!token) return fail(token.error());
  return json_response(200, render(*token, true));
}

Result<http::Response> create_token(Context& context) {
  auto found = find_agent(context, kChange);
  if (!found) return fail(found.error());
  const std::string name = context.params.text("name");
  const std::string description = context.params.text_or("description", "");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto created = Agents(context.core).create_token(context.user(), found->agent, name, description);
  if (!created) return fail(created.error());
  json::object out = render(created->token, true);
  out["token"] = created->value.reveal();
  out["installation"] = installation(context.core, found->agent, created->value.reveal());
  return json_response(201, out);
}

Result<http::Response> revoke_token(Context& context) {
  auto token = find_token(context, kChange);
  if (!token) return fail(token.error());
  if (Status status = Agents(context.core).revoke_token(context.user(), *token); !status.ok())
    return fail(status);
  return no_content();
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/cluster_agents", list_agents, Need::kUser, "Agents of a project",
     "with_status:boolean page:integer per_page:integer"},
    {"POST", "/projects/:id/cluster_agents", create_agent, Need::kUser, "Register an agent", "name!"},
    {"GET", "/projects/:id/cluster_agents/:agent_id", get_agent, Need::kUser, "An agent",
     "with_status:boolean"},
    {"DELETE", "/projects/:id/cluster_agents/:agent_id", delete_agent, Need::kUser,
     "Delete an agent; its connections end"},
    {"GET", "/projects/:id/cluster_agents/:agent_id/tokens", list_tokens, Need::kUser,
     "Active tokens of an agent", "page:integer per_page:integer"},
    {"POST", "/projects/:id/cluster_agents/:agent_id/tokens", create_token, Need::kUser,
     "Make a token of an agent; it is shown this once", "name! description"},
    {"GET", "/projects/:id/cluster_agents/:agent_id/tokens/:token_id", get_token, Need::kUser,
     "An active token of an agent"},
    {"DELETE", "/projects/:id/cluster_agents/:agent_id/tokens/:token_id", revoke_token, Need::kUser,
     "Revoke a token of an agent; connections that use it end"},
};

}  // namespace

std::span<const Route> agent_routes() { return kRoutes; }

}  // namespace towline::control::api
