#include "control/domain/agents.h"

#include "control/domain/configurations.h"
#include "control/domain/credentials.h"
#include "control/domain/events.h"
#include "control/domain/names.h"
#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"

namespace towline::control {
namespace {

constexpr std::size_t kMaxText = 255;
constexpr std::size_t kMaxDescription = 1024;
constexpr Page kAll{.number = 1, .size = 1'000'000};

}  // namespace

std::vector<AgentToken> active_tokens_of_project(soci::session& sql, std::int64_t project_id) {
  std::vector<AgentToken> all;
  for (const AgentRecord& agent : AgentTable(sql).list(project_id, kAll).items) {
    for (AgentToken& token : AgentTokenTable(sql).active(agent.id, kAll).items)
      all.push_back(std::move(token));
  }
  return all;
}

void raise_revoked(Core& core, const std::vector<AgentToken>& tokens) {
  for (const AgentToken& token : tokens) core.events.raise(AgentTokenRevoked{token.agent_id, token.id});
}

Result<AgentRecord> Agents::create(const User& creator, const Project& project, const std::string& name) {
  if (Status status = check_agent_name(name); !status.ok()) return fail(status);
  AgentRecord agent{
      .project_id = project.id, .name = name, .created_by_user_id = creator.id, .created_at = core_.now()};
  auto created = core_.db.write([&](soci::session& sql) -> Result<AgentRecord> {
    if (AgentTable(sql).by_name(project.id, name)) {
      return fail(Code::kAlreadyExists, "name \"" + name + "\" has already been taken in this project");
    }
    agent.id = AgentTable(sql).create(agent);
    AgentEventTable(sql).add({.agent_id = agent.id,
                              .kind = "agent_created",
                              .detail = name,
                              .user_id = creator.id,
                              .recorded_at = agent.created_at});
    return agent;
  });
  // What its file lists means what it means now; a file that cannot be read is tried again when it is needed.
  if (created) static_cast<void>(core_.configurations.current(created->id));
  return created;
}

Status Agents::remove(const AgentRecord& agent) {
  auto tokens = core_.db.write([&](soci::session& sql) {
    auto active = AgentTokenTable(sql).active(agent.id, kAll).items;
    AgentTable(sql).remove(agent.id);
    return active;
  });
  if (!tokens) return tokens.error();
  raise_revoked(core_, *tokens);
  return {};
}

Result<Agents::CreatedToken> Agents::create_token(const User& creator, const AgentRecord& agent,
                                                  const std::string& name, const std::string& description) {
  if (name.empty() || name.size() > kMaxText) {
    return fail(Code::kInvalidArgument, "name must have 1 to 255 characters");
  }
  if (description.size() > kMaxDescription) {
    return fail(Code::kInvalidArgument, "description is too long (maximum is 1024 characters)");
  }
  CreatedToken created{.token = {.agent_id = agent.id,
                                 .name = name,
                                 .description = description,
                                 .created_by_user_id = creator.id,
                                 .created_at = core_.now()},
                       .value = make_token(kAgentTokenPrefix)};
  return core_.db.write([&](soci::session& sql) -> Result<CreatedToken> {
    AgentTokenTable tokens(sql);
    if (tokens.active(agent.id, {}).total >= kMaxActiveTokens) {
      return fail(Code::kFailedPrecondition, "an agent can have only two active tokens: revoke one first");
    }
    created.token.id = tokens.create(created.token, token_hash(created.value));
    AgentEventTable(sql).add({.agent_id = agent.id,
                              .kind = "token_created",
                              .detail = name,
                              .user_id = creator.id,
                              .token_id = created.token.id,
                              .recorded_at = created.token.created_at});
    return created;
  });
}

Status Agents::revoke_token(const User& by, const AgentToken& token) {
  auto revoked = core_.db.write([&](soci::session& sql) {
    const Millis now = core_.now();
    if (!AgentTokenTable(sql).revoke(token.id, now)) return false;
    AgentEventTable(sql).add({.agent_id = token.agent_id,
                              .kind = "token_revoked",
                              .detail = token.name,
                              .user_id = by.id,
                              .token_id = token.id,
                              .recorded_at = now});
    return true;
  });
  if (!revoked) return revoked.error();
  if (!*revoked) return {Code::kNotFound, "404 Agent Token Not Found"};
  raise_revoked(core_, {token});
  return {};
}

}  // namespace towline::control
