#pragma once

#include "control/backend.h"
#include "control/domain/accounts.h"
#include "control/domain/configurations.h"
#include "control/domain/core.h"

namespace towline::io {
class FairPool;
}

namespace towline::control {

/// The Backend of a control plane in the same process. It works on `pool`, which must outlive it.
///
/// access_by_token gives PERMISSION_DENIED with the same message for an agent that does not exist and for one
/// whose configuration gives nothing to a person without a role in its project, so that numbers of agents
/// cannot be probed. access_generation does not grow when a token merely expires: cached answers need an age
/// limit as well.
class LocalBackend final : public Backend {
 public:
  LocalBackend(Core& core, io::FairPool& pool)
      : core_(core), pool_(pool), accounts_(core), configurations_(core.configurations) {}

  void agent_by_token(io::Loop& loop, Secret token, Answer<AuthenticatedAgent> answer) override;
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
  void ask(io::Loop& loop, Answer<T> answer, std::move_only_function<Result<T>()> work);
  Result<AuthenticatedAgent> find_agent(const Secret& token);
  Result<Access> find_access(std::int64_t agent_id, const Secret& token);

  Core& core_;
  io::FairPool& pool_;
  Accounts accounts_;
  Configurations& configurations_;
};

}  // namespace towline::control
