#include "tunnel/server/registry.h"

#include <algorithm>
#include <utility>

#include "tunnel/server/server_tunnel.h"

namespace towline::tunnel {
namespace {

// Idle tunnels that are looked at for one on the caller's own loop; then any will do.
constexpr std::size_t kLookAhead = 16;

}  // namespace

Registry::Acquired Registry::acquire(std::int64_t agent_id, const std::string& method,
                                     const std::shared_ptr<Link>& link) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  if (found == agents_.end() || !found->second.connected()) {
    return Status(Code::kNotFound, "the agent is not connected");
  }
  Agent& agent = found->second;
  if (agent.calls >= options_.max_calls_per_agent) {
    return Status(Code::kResourceExhausted,
                  "the agent has " + std::to_string(agent.calls) + " requests at once, the configured limit");
  }
  std::size_t chosen = agent.idle.size();
  for (std::size_t seen = 0, i = agent.idle.size(); i-- > 0; ++seen) {
    if (!agent.idle[i]->offers(method)) continue;
    const bool near = &agent.idle[i]->loop() == &link->caller_loop();
    if (near || chosen == agent.idle.size()) chosen = i;
    if (near || seen >= kLookAhead) break;
  }
  if (chosen == agent.idle.size()) {
    const bool offered = agent.all.empty() || std::ranges::any_of(agent.all, [&](const auto& tunnel) {
                           return tunnel->offers(method);
                         });
    if (!offered) return Status(Code::kUnimplemented, "the agent does not offer " + method);
    ++agent.calls;
    agent.waiters.push_back({link, method});
    return Wait{};
  }
  ++agent.calls;
  std::shared_ptr<ServerTunnel> tunnel = std::move(agent.idle[chosen]);
  agent.idle.erase(agent.idle.begin() + static_cast<std::ptrdiff_t>(chosen));
  return tunnel;
}

void Registry::release(std::int64_t agent_id) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  if (found == agents_.end()) return;
  if (found->second.calls > 0) --found->second.calls;
  forget_if_empty(agent_id);
}

bool Registry::stop_waiting(std::int64_t agent_id, const Link* link) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  if (found == agents_.end()) return false;
  return std::erase_if(found->second.waiters,
                       [&](const Waiter& waiter) { return waiter.link.get() == link; }) > 0;
}

void Registry::add(const std::shared_ptr<ServerTunnel>& tunnel) {
  const std::lock_guard lock(mutex_);
  Agent& agent = agents_[tunnel->owner().agent_id];
  agent.all.insert(tunnel);
  const std::weak_ptr<const void> connection = tunnel->connection();
  const auto same = [&](const auto& each) {
    return !each.owner_before(connection) && !connection.owner_before(each);
  };
  if (std::ranges::any_of(agent.connections, same)) return;
  std::erase_if(agent.connections, [](const auto& each) { return each.expired(); });
  agent.connections.push_back(connection);
}

std::optional<Registry::Waiter> Registry::put(const std::shared_ptr<ServerTunnel>& tunnel) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(tunnel->owner().agent_id);
  if (found == agents_.end() || !found->second.all.contains(tunnel)) return std::nullopt;  // it is over
  Agent& agent = found->second;
  const auto waiter =
      std::ranges::find_if(agent.waiters, [&](const Waiter& each) { return tunnel->offers(each.method); });
  if (waiter == agent.waiters.end()) {
    agent.idle.push_back(tunnel);
    return std::nullopt;
  }
  Waiter first = std::move(*waiter);
  agent.waiters.erase(waiter);
  return first;
}

std::vector<Registry::Waiter> Registry::remove(const std::shared_ptr<ServerTunnel>& tunnel) {
  const std::lock_guard lock(mutex_);
  std::vector<Waiter> stranded;
  const auto found = agents_.find(tunnel->owner().agent_id);
  if (found == agents_.end()) return stranded;
  Agent& agent = found->second;
  agent.all.erase(tunnel);
  std::erase(agent.idle, tunnel);
  if (!agent.connected()) {
    stranded.assign(std::make_move_iterator(agent.waiters.begin()),
                    std::make_move_iterator(agent.waiters.end()));
    agent.waiters.clear();
  }
  forget_if_empty(tunnel->owner().agent_id);
  return stranded;
}

MethodSet Registry::intern(std::int64_t agent_id, std::set<std::string, std::less<>> methods) {
  const std::lock_guard lock(mutex_);
  MethodSet& last = agents_[agent_id].methods;
  if (last == nullptr || *last != methods) {
    last = std::make_shared<const std::set<std::string, std::less<>>>(std::move(methods));
  }
  return last;
}

std::vector<std::shared_ptr<ServerTunnel>> Registry::tunnels_of(std::int64_t agent_id,
                                                                std::int64_t token_id) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ServerTunnel>> result;
  const auto found = agents_.find(agent_id);
  if (found == agents_.end()) return result;
  for (const auto& tunnel : found->second.all) {
    if (tunnel->owner().token_id == token_id) result.push_back(tunnel);
  }
  return result;
}

Router::Counts Registry::counts() const {
  const std::lock_guard lock(mutex_);
  Router::Counts counts;
  for (const auto& [id, agent] : agents_) {
    if (agent.connected()) ++counts.agents;
    counts.idle_tunnels += agent.idle.size();
    counts.busy_tunnels += agent.all.size() - agent.idle.size();
    counts.waiting_calls += agent.waiters.size();
  }
  return counts;
}

bool Registry::connected(std::int64_t agent_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  return found != agents_.end() && found->second.connected();
}

bool Registry::Agent::connected() const {
  return !all.empty() || std::ranges::any_of(connections, [](const auto& each) { return !each.expired(); });
}

void Registry::forget_if_empty(std::int64_t agent_id) {
  const auto found = agents_.find(agent_id);
  const Agent& agent = found->second;
  if (!agent.connected() && agent.waiters.empty() && agent.calls == 0) agents_.erase(found);
}

}  // namespace towline::tunnel
