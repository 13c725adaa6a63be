// Connections and activity of agents.
#include <boost/json.hpp>

#include "control/graphql/connection.h"
#include "control/graphql/types.h"
#include "control/store/agent_event_table.h"
#include "control/store/database.h"

namespace towline::control::graphql {
namespace {

struct EventNode {
  AgentEvent event;
  AgentNode of;
};

Result<Value> connections(Call& call) {
  call.in.settle();
  auto found = call.in.core.db.read([&](soci::session& sql) {
    return AgentConnectionTable(sql).of_agent(call.of<AgentNode>().agent.id, call.in.core.now());
  });
  if (!found) return fail(found.error());
  Value::List nodes;
  for (AgentConnection& each : *found) nodes.emplace_back(Node::of(std::move(each)));
  return connect(call, nodes);
}

Result<Value> activity(Call& call) {
  const auto& of = call.of<AgentNode>();
  call.in.settle();
  return connect(call, [&](Page page) {
    return call.in.core.db.read([&](soci::session& sql) {
      auto listed = AgentEventTable(sql).list(of.agent.id, call.in.core.now(), page);
      Listed<Value> found{.total = listed.total};
      for (AgentEvent& each : listed.items)
        found.items.emplace_back(Node::of(EventNode{std::move(each), of}));
      return found;
    });
  });
}

Type connected_agent_type() {
  return {.name = "ConnectedAgent",
          .description = "A pod of an agent that is connected",
          .fields = {
              {"connectionId", "BigInt", "",
               [](Call& c) -> Result<Value> { return std::to_string(c.of<AgentConnection>().id); }},
              {"connectedAt", "Time", "",
               [](Call& c) -> Result<Value> { return api::json_time(c.of<AgentConnection>().connected_at); }},
              {"metadata", "AgentMetadata", "What it says of itself",
               [](Call& c) -> Result<Value> { return c.parent; }}}};
}

Type event_type() {
  return {.name = "ClusterAgentActivityEvent",
          .description = "Something that happened to an agent",
          .fields = {
              {"kind", "String", "token_created and so on",
               [](Call& c) -> Result<Value> { return c.of<EventNode>().event.kind; }},
              {"level", "String", "error for a configuration that was refused, else info",
               [](Call& c) -> Result<Value> {
                 return c.of<EventNode>().event.kind == "configuration_refused" ? "error" : "info";
               }},
              {"recordedAt", "Time", "",
               [](Call& c) -> Result<Value> { return api::json_time(c.of<EventNode>().event.recorded_at); }},
              {"user", "UserCore", "Who did it",
               [](Call& c) { return find_user(c.in, c.of<EventNode>().event.user_id); }},
              {"agentToken", "ClusterAgentToken", "The token in question", [](Call& c) {
                 return find_token(c.in, c.of<EventNode>().of, c.of<EventNode>().event.token_id);
               }}}};
}

}  // namespace

std::vector<Field> detail_fields_of_agent() {
  return {{"connections", "ConnectedAgentConnection", "Its pods that are connected", connections,
           page_arguments()},
          {"activityEvents", "ClusterAgentActivityEventConnection",
           "A week of what happened, the newest first", activity, page_arguments()}};
}

void add_agent_details(Schema& schema) {
  schema.add({.kind = Type::Kind::kScalar, .name = "BigInt", .description = "A whole number, as a text"});
  schema.add(connected_agent_type());
  schema.add_connection("ConnectedAgent");
  schema.add({.name = "AgentMetadata",
              .description = "What an agent's pod says of itself",
              .fields = {{"version", "String", "", member<&AgentConnection::version>},
                         {"commit", "String", "", member<&AgentConnection::commit_id>},
                         {"podNamespace", "String", "", member<&AgentConnection::pod_namespace>},
                         {"podName", "String", "", member<&AgentConnection::pod_name>}}});
  schema.add(event_type());
  schema.add_connection("ClusterAgentActivityEvent");
}

}  // namespace towline::control::graphql
