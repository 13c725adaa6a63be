#pragma once

#include <string>
#include <vector>

#include "control/api/respond.h"
#include "control/graphql/execution.h"
#include "control/store/records.h"

namespace towline::control::graphql {

/// What can be asked of this server.
const Schema& schema();

/// The parts of schema().
void add_user_types(Schema& schema);
void add_project_types(Schema& schema);
void add_agent_types(Schema& schema);
void add_agent_details(Schema& schema);
void add_query(Schema& schema);
void add_mutations(Schema& schema);

/// clusterAgent and clusterAgents; connections and activityEvents.
std::vector<Field> agent_fields_of_project();
std::vector<Field> detail_fields_of_agent();

/// Records behind the objects, beside User, api::FoundProject and api::FoundGroup.
struct AgentNode {
  AgentRecord agent;
  api::FoundProject in;
};
struct TokenNode {
  AgentToken token;
  AgentNode of;
};

inline constexpr std::string_view kAgentKind = "Clusters::Agent";
inline constexpr std::string_view kTokenKind = "Clusters::AgentToken";

/// "gid://gitlab/Clusters::Agent/1".
std::string global_id(std::string_view kind, std::int64_t id);
/// INVALID_ARGUMENT when it names nothing of this kind.
Result<std::int64_t> number_of(const std::string& global_id, std::string_view kind);

/// What one may not see does not exist: null for NOT_FOUND and PERMISSION_DENIED.
Result<Value> null_if_hidden(const Status& status);
/// null when there is no such user any more.
Result<Value> find_user(Execution& in, std::int64_t id);
/// null when there is no such token any more.
Result<Value> find_token(Execution& in, const AgentNode& agent, std::int64_t id);

/// A field that gives one member of a record of type T: member<&T::m>.
template <auto field>
struct Member;
template <typename T, typename M, M T::*field>
struct Member<field> {
  static Result<Value> get(Call& call) { return Value(call.of<T>().*field); }
};
template <auto field>
inline constexpr Resolver member = &Member<field>::get;

}  // namespace towline::control::graphql
