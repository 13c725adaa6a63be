#include "control/local_backend.h"

#include <exception>
#include <utility>

#include "control/domain/access.h"
#include "control/domain/credentials.h"
#include "control/domain/events.h"
#include "control/domain/usage.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"
#include "io/fair_pool.h"
#include "io/loop.h"

namespace towline::control {
namespace {

constexpr std::size_t kMaxToken = 512;

template <typename T>
Result<T> run_safely(std::move_only_function<Result<T>()>& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return fail(Code::kInternal, std::string("control plane: ") + error.what());
  }
}

}  // namespace

template <typename T>
void LocalBackend::ask(io::FairPool& pool, io::Caller who, io::Loop& loop, Answer<T> answer, Work<T> work) {
  struct Question {
    Answer<T> answer;
    std::move_only_function<Result<T>()> work;
    Result<T> result = fail(Code::kUnavailable, "the control plane is shutting down");
  };
  auto question = std::make_shared<Question>(Question{std::move(answer), std::move(work)});
  const Status accepted = pool.submit(
      loop, who, [question] { question->result = run_safely(question->work); },
      [question] { question->answer(std::move(question->result)); });
  if (accepted.ok()) return;
  loop.post([question, accepted] { question->answer(fail(accepted.with_prefix("control plane"))); });
}

template <typename T>
void LocalBackend::ask_quickly(io::Loop& loop, std::int64_t agent_id, Answer<T> answer,
                               Work<std::optional<T>> quick, Work<T> work) {
  auto go_on = [this, &loop, agent_id, answer = std::move(answer),
                work = std::move(work)](Result<std::optional<T>> found) mutable {
    if (!found) return answer(fail(std::move(found.error())));
    if (*found) return answer(std::move(**found));
    ask<T>(pool_, io::Caller::agent(agent_id), loop, std::move(answer), std::move(work));
  };
  ask<std::optional<T>>(door_, {}, loop, std::move(go_on), std::move(quick));
}

void LocalBackend::agent_by_token(io::Loop& loop, Secret token, Answer<AuthenticatedAgent> answer) {
  ask<AuthenticatedAgent>(door_, {}, loop, std::move(answer),
                          [this, token = std::move(token)] { return find_agent(token); });
}

void LocalBackend::check_agent_tokens(io::Loop& loop, std::vector<AgentTokenInUse> tokens,
                                      Answer<std::size_t> answer) {
  ask<std::size_t>(door_, {}, loop, std::move(answer),
                   [this, tokens = std::move(tokens)] { return end_revoked(tokens); });
}

void LocalBackend::agent_configuration(io::Loop& loop, std::int64_t agent_id,
                                       Answer<AgentConfiguration> answer) {
  const auto quick = [this, agent_id]() -> Result<std::optional<AgentConfiguration>> {
    auto known = configurations_.if_known(agent_id);
    if (!known) return fail(std::move(known.error()));
    if (!*known) return std::nullopt;
    return std::move((*known)->configuration);
  };
  const auto thorough = [this, agent_id]() -> Result<AgentConfiguration> {
    auto current = configurations_.current(agent_id);
    if (!current) return fail(std::move(current.error()));
    return std::move(current->configuration);
  };
  ask_quickly<AgentConfiguration>(loop, agent_id, std::move(answer), quick, thorough);
}

void LocalBackend::access_by_token(io::Loop& loop, std::int64_t agent_id, Secret token,
                                   Answer<Access> answer) {
  const auto shown = std::make_shared<const Secret>(std::move(token));
  const auto quick = [this, agent_id, shown]() -> Result<std::optional<Access>> {
    auto caller = find_caller(*shown);
    if (!caller) return fail(std::move(caller.error()));
    auto known = configurations_.if_known(agent_id);
    if (known && !*known) return std::nullopt;
    auto configuration =
        known ? Result<CurrentConfiguration>(std::move(**known)) : fail(std::move(known.error()));
    auto access = find_access(*caller, std::move(configuration), agent_id);
    if (!access) return fail(std::move(access.error()));
    return std::move(*access);
  };
  const auto thorough = [this, agent_id, shown]() -> Result<Access> {
    auto caller = find_caller(*shown);
    if (!caller) return fail(std::move(caller.error()));
    return find_access(*caller, configurations_.current(agent_id), agent_id);
  };
  ask_quickly<Access>(loop, agent_id, std::move(answer), quick, thorough);
}

std::uint64_t LocalBackend::access_generation() const { return core_.db.generation(); }

void LocalBackend::agent_seen(AgentPresence presence) { core_.usage.agent_seen(std::move(presence)); }

void LocalBackend::agent_last_seen(io::Loop& loop, std::int64_t agent_id,
                                   Answer<std::optional<std::chrono::system_clock::time_point>> answer) {
  using Time = std::chrono::system_clock::time_point;
  ask<std::optional<Time>>(pool_, io::Caller::agent(agent_id), loop, std::move(answer), [this, agent_id] {
    core_.usage.flush();  // an agent that has just gone was seen
    return core_.db.read([&](soci::session& sql) -> Result<std::optional<Time>> {
      const auto agent = AgentTable(sql).by_id(agent_id);
      if (!agent) return fail(Code::kNotFound, "agent " + std::to_string(agent_id) + " does not exist");
      if (agent->last_contact_at == 0) return std::optional<Time>();
      return std::optional(Time(std::chrono::milliseconds(agent->last_contact_at)));
    });
  });
}

void LocalBackend::agent_gone(std::int64_t agent_id, std::int64_t connection_id) {
  core_.usage.agent_gone(agent_id, connection_id);
}

std::unique_ptr<Backend::Subscription> LocalBackend::subscribe(std::function<void(const Event&)> on_event) {
  return core_.events.subscribe(std::move(on_event));
}

Result<AuthenticatedAgent> LocalBackend::find_agent(const Secret& token) {
  const auto refuse = [] { return fail(Code::kUnauthenticated, "the agent token is wrong or revoked"); };
  if (token.empty() || token.reveal().size() > kMaxToken) return refuse();
  auto found = core_.db.read([&](soci::session& sql) -> Result<AuthenticatedAgent> {
    const auto record = AgentTokenTable(sql).by_hash(token_hash(token));
    if (!record || record->revoked_at != 0) return refuse();
    const auto agent = AgentTable(sql).by_id(record->agent_id);
    const auto project = agent ? ProjectTable(sql).by_id(agent->project_id) : std::nullopt;
    if (!project) return refuse();
    return AuthenticatedAgent{{agent->id, agent->name, project->id, project->full_path}, record->id};
  });
  if (found) core_.usage.agent_token_used(found->token_id);
  return found;
}

Result<std::size_t> LocalBackend::end_revoked(const std::vector<AgentTokenInUse>& tokens) {
  std::vector<std::int64_t> ids;
  for (const AgentTokenInUse& each : tokens) ids.push_back(each.token_id);
  const auto in_force = core_.db.read([&](soci::session& sql) { return AgentTokenTable(sql).in_force(ids); });
  if (!in_force) return fail(in_force.error());
  std::size_t ended = 0;
  for (const AgentTokenInUse& each : tokens) {
    const auto found = in_force->find(each.token_id);
    if (found != in_force->end() && found->second == each.agent_id) continue;
    core_.events.raise(AgentTokenRevoked{each.agent_id, each.token_id});
    ++ended;
  }
  return ended;
}

Result<Caller> LocalBackend::find_caller(const Secret& token) {
  auto caller = accounts_.authenticate(token);
  if (!caller) return fail(caller.error());
  if (!caller->token.has_scope("k8s_proxy") && !caller->token.has_scope("api")) {
    return fail(Code::kPermissionDenied, "the token needs the scope k8s_proxy or api");
  }
  return caller;
}

Result<Access> LocalBackend::find_access(const Caller& caller, Result<CurrentConfiguration> configuration,
                                         std::int64_t agent_id) {
  if (!configuration && configuration.error().code() == Code::kNotFound)
    return fail(no_such_access(agent_id));
  if (!configuration) return fail(configuration.error());
  auto access =
      core_.db.read([&](soci::session& sql) { return authorize_person(sql, caller, *configuration); });
  if (access && caller.token.expires_at != 0) {
    access->expires_at =
        std::chrono::system_clock::time_point(std::chrono::milliseconds(caller.token.expires_at));
  }
  return access;
}

}  // namespace towline::control
