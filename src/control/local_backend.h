#pragma once

#include "control/backend.h"
#include "control/domain/accounts.h"
#include "control/domain/configurations.h"
#include "control/domain/core.h"
#include "io/fair_pool.h"

namespace towline::control {

/// The Backend of a control plane in the same process. What tokens are worth it asks on `door`, which nobody
/// else's work fills, and reads configurations that it does not know yet on `pool`, for their agents. Both
/// must outlive it.
///
/// access_by_token gives PERMISSION_DENIED with the same message for an agent that does not exist and for one
/// whose configuration gives nothing to a person without a role in its project, so that numbers of agents
/// cannot be probed. access_generation does not grow when a token merely expires: cached answers need an age
/// limit as well.
class LocalBackend final : public Backend {
 public:
  LocalBackend(Core& core, io::FairPool& door, io::FairPool& pool)
      : core_(core), door_(door), pool_(pool), accounts_(core), configurations_(core.configurations) {}

  void agent_by_token(io::Loop& loop, Secret token, Answer<AuthenticatedAgent> answer) override;
  void check_agent_tokens(io::Loop& loop, std::vector<AgentTokenInUse> tokens,
                          Answer<std::size_t> answer) override;
  void agent_configuration(io::Loop& loop, std::int64_t agent_id, Answer<AgentConfiguration> answer) override;
  void access_by_token(io::Loop& loop, std::int64_t agent_id, Secret token, Answer<Access> answer) override;
  std::uint64_t access_generation() const override;
  void agent_seen(AgentPresence presence) override;
  void agent_gone(std::int64_t agent_id, std::int64_t connection_id) override;
  void agent_last_seen(io::Loop& loop, std::int64_t agent_id,
                       Answer<std::optional<std::chrono::system_clock::time_point>> answer) override;
  std::unique_ptr<Subscription> subscribe(std::function<void(const Event&)> on_event) override;

 private:
  template <typename T>
  using Work = std::move_only_function<Result<T>()>;
  template <typename T>
  void ask(io::FairPool& pool, io::Caller who, io::Loop& loop, Answer<T> answer, Work<T> work);
  /// Asks at the door first; nothing from there: `work` in the pool, for the agent.
  template <typename T>
  void ask_quickly(io::Loop& loop, std::int64_t agent_id, Answer<T> answer, Work<std::optional<T>> quick,
                   Work<T> work);
  Result<AuthenticatedAgent> find_agent(const Secret& token);
  Result<std::size_t> end_revoked(const std::vector<AgentTokenInUse>& tokens);
  Result<Caller> find_caller(const Secret& token);
  Result<Access> find_access(const Caller& caller, Result<CurrentConfiguration> configuration,
                             std::int64_t agent_id);

  Core& core_;
  io::FairPool& door_;
  io::FairPool& pool_;
  Accounts accounts_;
  Configurations& configurations_;
};

}  // namespace towline::control
