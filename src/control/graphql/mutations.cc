// What changes agents and their tokens.
#include <boost/json.hpp>

#include "control/api/agents.h"
#include "control/domain/agents.h"
#include "control/graphql/types.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;

struct Payload {
  json::value client_mutation_id;
  Value agent = nullptr;
  Value token = nullptr;
  Value secret = nullptr;
  std::vector<std::string> errors;
};

// The argument "input".
class Input {
 public:
  explicit Input(const Call& call) : fields_(call.arguments.at("input").as_object()) {}

  std::string text(std::string_view name) const {
    const auto* value = fields_.if_contains(name);
    return value == nullptr || !value->is_string() ? "" : std::string(value->get_string());
  }
  Payload payload() const {
    const auto* id = fields_.if_contains("clientMutationId");
    return {.client_mutation_id = id == nullptr ? json::value(nullptr) : *id};
  }

 private:
  const json::object& fields_;
};

// Whether there is what one may not change is not said.
Status hide(const Status& status) {
  if (status.code() != Code::kNotFound && status.code() != Code::kPermissionDenied) return status;
  return {status.code(), "This does not exist, or you may not change it"};
}

// What breaks a rule stands in the payload, where clients show it beside their form.
Result<Value> refuse(Payload payload, const Status& status) {
  const Code code = status.code();
  if (code != Code::kInvalidArgument && code != Code::kAlreadyExists && code != Code::kFailedPrecondition) {
    return fail(hide(status));
  }
  payload.errors.push_back(status.message());
  return Node::of(std::move(payload));
}

Result<AgentNode> find_agent(Execution& in, std::int64_t id) {
  auto agent = in.core.db.read([&](soci::session& sql) { return AgentTable(sql).by_id(id); });
  if (!agent) return fail(agent.error());
  if (!*agent) return fail(hide({Code::kNotFound, ""}));
  const std::int64_t project = (*agent)->project_id;
  auto found = api::find_project(
      in.core, in.caller, [&](soci::session& sql) { return ProjectTable(sql).by_id(project); },
      api::kChangeAgents);
  if (!found) return fail(hide(found.error()));
  return AgentNode{std::move(**agent), std::move(*found)};
}

Result<AgentNode> find_agent(Execution& in, const std::string& global) {
  const auto id = number_of(global, kAgentKind);
  if (!id) return fail(id.error());
  return find_agent(in, *id);
}

Result<Value> create_agent(Call& call) {
  const Input input(call);
  Payload payload = input.payload();
  const std::string path = input.text("projectPath");
  auto found = api::find_project(
      call.in.core, call.in.caller, [&](soci::session& sql) { return ProjectTable(sql).by_path(path); },
      api::kChangeAgents);
  if (!found) return fail(hide(found.error()));
  auto agent = Agents(call.in.core).create(call.in.caller->user, found->project, input.text("name"));
  if (!agent) return refuse(std::move(payload), agent.error());
  call.in.audit("createClusterAgent", global_id(kAgentKind, agent->id));
  payload.agent = Node::of(AgentNode{std::move(*agent), std::move(*found)});
  return Node::of(std::move(payload));
}

Result<Value> delete_agent(Call& call) {
  const Input input(call);
  const auto found = find_agent(call.in, input.text("id"));
  if (!found) return fail(found.error());
  const Status status = Agents(call.in.core).remove(found->agent);
  if (!status.ok()) return refuse(input.payload(), status);
  call.in.audit("clusterAgentDelete", input.text("id"));
  return Node::of(input.payload());
}

Result<Value> create_token(Call& call) {
  const Input input(call);
  Payload payload = input.payload();
  const auto found = find_agent(call.in, input.text("clusterAgentId"));
  if (!found) return fail(found.error());
  auto created =
      Agents(call.in.core)
          .create_token(call.in.caller->user, found->agent, input.text("name"), input.text("description"));
  if (!created) return refuse(std::move(payload), created.error());
  call.in.audit("clusterAgentTokenCreate", global_id(kTokenKind, created->token.id));
  payload.secret = Value(created->value.reveal());
  payload.token = Node::of(TokenNode{std::move(created->token), *found});
  return Node::of(std::move(payload));
}

Result<Value> revoke_token(Call& call) {
  const Input input(call);
  const auto id = number_of(input.text("id"), kTokenKind);
  if (!id) return fail(id.error());
  auto token = call.in.core.db.read([&](soci::session& sql) { return AgentTokenTable(sql).by_id(*id); });
  if (!token) return fail(token.error());
  if (!*token) return fail(hide({Code::kNotFound, ""}));
  const auto found = find_agent(call.in, (*token)->agent_id);
  if (!found) return fail(found.error());
  const Status status = Agents(call.in.core).revoke_token(call.in.caller->user, **token);
  if (!status.ok()) return refuse(input.payload(), status);
  call.in.audit("clusterAgentTokenRevoke", input.text("id"));
  return Node::of(input.payload());
}

// Name of the mutation, of its types ("X": XInput and XPayload), what it takes and what it gives.
Field add_mutation(Schema& schema, const std::string& name, const std::string& types, Resolver resolve,
                   const std::string& description, std::vector<InputValue> takes, std::vector<Field> gives) {
  takes.push_back({"clientMutationId", "String", "Comes back in the answer"});
  gives.push_back({"clientMutationId", "String", "As it was given", member<&Payload::client_mutation_id>});
  gives.push_back({"errors", "[String!]!", "Why nothing was changed", [](Call& c) -> Result<Value> {
                     Value::List errors;
                     for (const std::string& each : c.of<Payload>().errors) errors.emplace_back(each);
                     return errors;
                   }});
  schema.add({.kind = Type::Kind::kInput,
              .name = types + "Input",
              .description = "Input of " + name,
              .inputs = takes});
  schema.add({.name = types + "Payload", .description = "Answer of " + name, .fields = gives});
  return {name,
          TypeRef::named(types + "Payload"),
          description,
          resolve,
          {{"input", TypeRef::named(types + "Input").non_null(), ""}}};
}

}  // namespace

void add_mutations(Schema& schema) {
  Type type{.name = "Mutation", .description = "What can be changed"};
  type.fields.push_back(
      add_mutation(schema, "createClusterAgent", "CreateClusterAgent", create_agent, "Makes an agent",
                   {{"projectPath", "ID!", "Path of its project"}, {"name", "String!", "Its name"}},
                   {{"clusterAgent", "ClusterAgent", "The agent", member<&Payload::agent>}}));
  type.fields.push_back(add_mutation(schema, "clusterAgentDelete", "ClusterAgentDelete", delete_agent,
                                     "Removes an agent with its tokens",
                                     {{"id", "ClustersAgentID!", "The agent"}}, {}));
  type.fields.push_back(add_mutation(
      schema, "clusterAgentTokenCreate", "ClusterAgentTokenCreate", create_token, "Makes a token of an agent",
      {{"clusterAgentId", "ClustersAgentID!", "The agent"},
       {"name", "String!", "The token's name"},
       {"description", "String", "What it is for"}},
      {{"secret", "String", "The token itself, to be seen only now", member<&Payload::secret>},
       {"token", "ClusterAgentToken", "The token's record", member<&Payload::token>}}));
  type.fields.push_back(add_mutation(schema, "clusterAgentTokenRevoke", "ClusterAgentTokenRevoke",
                                     revoke_token, "Ends a token, and the connections that came by it",
                                     {{"id", "ClustersAgentTokenID!", "The token"}}, {}));
  schema.add(std::move(type));
}

}  // namespace towline::control::graphql
