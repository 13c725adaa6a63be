// Agents and their tokens.
#include <boost/json.hpp>

#include "control/api/agents.h"
#include "control/domain/agent_status.h"
#include "control/graphql/connection.h"
#include "control/graphql/types.h"
#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"

namespace towline::control::graphql {
namespace {

using api::FoundProject;
using Warning = AgentStatus::Warning;

Result<Value> agent_by_name(Call& call) {
  const auto& in = call.of<FoundProject>();
  if (in.role < api::kReadAgents) return nullptr;
  const std::string name = call.text("name");
  auto agent =
      call.in.core.db.read([&](soci::session& sql) { return AgentTable(sql).by_name(in.project.id, name); });
  if (!agent) return fail(agent.error());
  return *agent ? Value(Node::of(AgentNode{std::move(**agent), in})) : Value(nullptr);
}

Result<Value> agents(Call& call) {
  const auto& in = call.of<FoundProject>();
  if (in.role < api::kReadAgents) return nullptr;
  return connect(call, [&](Page page) {
    return call.in.core.db.read([&](soci::session& sql) {
      auto listed = AgentTable(sql).list(in.project.id, page);
      Listed<Value> found{.total = listed.total};
      for (AgentRecord& each : listed.items)
        found.items.emplace_back(Node::of(AgentNode{std::move(each), in}));
      return found;
    });
  });
}

Result<Value> tokens(Call& call) {
  using Which = AgentTokenTable::Which;
  const auto& of = call.of<AgentNode>();
  const std::string status = call.text("status");
  const Which which = status == "ACTIVE"    ? Which::kActive
                      : status == "REVOKED" ? Which::kRevoked
                                            : Which::kAll;
  call.in.settle();
  return connect(call, [&](Page page) {
    return call.in.core.db.read([&](soci::session& sql) {
      auto listed = AgentTokenTable(sql).list(of.agent.id, which, page);
      Listed<Value> found{.total = listed.total};
      for (AgentToken& each : listed.items)
        found.items.emplace_back(Node::of(TokenNode{std::move(each), of}));
      return found;
    });
  });
}

Result<Value> warnings(Call& call) {
  const auto& agent = call.of<AgentNode>().agent;
  call.in.settle();
  auto connections = call.in.core.db.read(
      [&](soci::session& sql) { return AgentConnectionTable(sql).of_agent(agent.id, call.in.core.now()); });
  if (!connections) return fail(connections.error());
  Value::List all;
  for (Warning& each : status_of(agent, *connections, call.in.core.version).warnings) {
    all.emplace_back(Node::of(std::move(each)));
  }
  return all;
}

Result<Value> web_path(Call& call) {
  const auto& of = call.of<AgentNode>();
  return "/" + of.in.project.full_path + "/-/cluster_agents/" + of.agent.name;
}

// Nothing of an agent can be changed after it is made.
Result<Value> created_at(Call& call) { return api::json_time(call.of<AgentNode>().agent.created_at); }

Type agent_type() {
  return {.name = "ClusterAgent",
          .description = "An agent of a project",
          .fields = {
              {"id", "ID!", "",
               [](Call& c) -> Result<Value> { return global_id(kAgentKind, c.of<AgentNode>().agent.id); }},
              {"name", "String", "", [](Call& c) -> Result<Value> { return c.of<AgentNode>().agent.name; }},
              {"createdAt", "Time", "", created_at},
              {"updatedAt", "Time", "", created_at},
              {"webPath", "String", "The path of its page", web_path},
              {"isReceptive", "Boolean", "This server connects to it",
               [](Call& c) -> Result<Value> { return c.of<AgentNode>().agent.receptive; }},
              {"project", "Project", "Whose it is",
               [](Call& c) -> Result<Value> { return Node::of(c.of<AgentNode>().in); }},
              {"createdByUser", "UserCore", "",
               [](Call& c) { return find_user(c.in, c.of<AgentNode>().agent.created_by_user_id); }},
              {"tokens", "ClusterAgentTokenConnection", "Its tokens, the newest first", tokens,
               page_arguments({{"status", "AgentTokenStatus", "Only those"}})},
              {"warnings", "[ClusterAgentWarning!]", "What is wrong with its versions", warnings}}};
}

template <auto member>
Result<Value> time_of_token(Call& call) {
  return api::json_time(call.of<TokenNode>().token.*member);
}
template <auto member>
Result<Value> text_of_token(Call& call) {
  return call.of<TokenNode>().token.*member;
}

Type token_type() {
  return {
      .name = "ClusterAgentToken",
      .description = "A token by which an agent connects",
      .fields = {{"id", "ClustersAgentTokenID!", "",
                  [](Call& c) -> Result<Value> { return global_id(kTokenKind, c.of<TokenNode>().token.id); }},
                 {"name", "String", "", text_of_token<&AgentToken::name>},
                 {"description", "String", "", text_of_token<&AgentToken::description>},
                 {"createdAt", "Time", "", time_of_token<&AgentToken::created_at>},
                 {"lastUsedAt", "Time", "", time_of_token<&AgentToken::last_used_at>},
                 {"status", "AgentTokenStatus", "",
                  [](Call& c) -> Result<Value> {
                    return c.of<TokenNode>().token.revoked_at == 0 ? "ACTIVE" : "REVOKED";
                  }},
                 {"createdByUser", "UserCore", "",
                  [](Call& c) { return find_user(c.in, c.of<TokenNode>().token.created_by_user_id); }},
                 {"clusterAgent", "ClusterAgent", "Whose it is",
                  [](Call& c) -> Result<Value> { return Node::of(c.of<TokenNode>().of); }}}};
}

}  // namespace

std::vector<Field> agent_fields_of_project() {
  return {{"clusterAgent",
           "ClusterAgent",
           "An agent by its name; developers may see it",
           agent_by_name,
           {{"name", "String!", ""}}},
          {"clusterAgents", "ClusterAgentConnection", "Its agents; developers may see them", agents,
           page_arguments()}};
}

void add_agent_types(Schema& schema) {
  Type agent = agent_type();
  auto details = detail_fields_of_agent();
  for (Field& each : details) agent.fields.push_back(std::move(each));
  schema.add(std::move(agent));
  schema.add_connection("ClusterAgent");
  schema.add(token_type());
  schema.add_connection("ClusterAgentToken");
  schema.add({.kind = Type::Kind::kScalar,
              .name = "ClustersAgentID",
              .description = "gid://gitlab/Clusters::Agent/1"});
  schema.add({.kind = Type::Kind::kScalar,
              .name = "ClustersAgentTokenID",
              .description = "gid://gitlab/Clusters::AgentToken/1"});
  schema.add({.kind = Type::Kind::kEnum,
              .name = "AgentTokenStatus",
              .description = "Whether a token is good",
              .values = {{"ACTIVE", "It is"}, {"REVOKED", "It is not any more"}}});
  schema.add({.name = "ClusterAgentWarning",
              .description = "Something wrong with an agent",
              .fields = {{"code", "String!", "version_mismatch or versions_differ", member<&Warning::code>},
                         {"message", "String!", "For people", member<&Warning::message>}}});
}

}  // namespace towline::control::graphql
