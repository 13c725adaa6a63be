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
  if (auto tunnel = agent.take_idle(method, link->caller_loop())) {
    ++agent.calls;
    return tunnel;
  }
  const bool offered = agent.offers.empty() || std::ranges::any_of(agent.offers, [&](const auto& each) {
                         return each->methods.contains(method);
                       });
  if (!offered) return Status(Code::kUnimplemented, "the agent does not offer " + method);
  ++agent.calls;
  ++agent.waiters;
  link->ticket = ++tickets_;
  agent.waiting[method].emplace(link->ticket, link);
  return Wait{};
}

std::shared_ptr<ServerTunnel> Registry::Agent::take_idle(const std::string& method, const io::Loop& near) {
  for (const auto& offer : offers) {
    std::vector<std::shared_ptr<ServerTunnel>>& free = offer->idle;
    if (free.empty() || !offer->methods.contains(method)) continue;
    std::size_t chosen = free.size() - 1;
    for (std::size_t seen = 0, i = free.size(); i-- > 0 && seen < kLookAhead; ++seen) {
      if (&free[i]->loop() != &near) continue;
      chosen = i;
      break;
    }
    std::shared_ptr<ServerTunnel> tunnel = free[chosen];
    leave_idle(*this, tunnel->place());
    return tunnel;
  }
  return nullptr;
}

void Registry::release(std::int64_t agent_id) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  if (found == agents_.end()) return;
  if (found->second.calls > 0) --found->second.calls;
  forget_if_empty(agent_id);
}

bool Registry::stop_waiting(std::int64_t agent_id, const Link& link) {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  if (found == agents_.end()) return false;
  Agent& agent = found->second;
  for (auto queue = agent.waiting.begin(); queue != agent.waiting.end(); ++queue) {
    if (queue->second.erase(link.ticket) == 0) continue;
    if (queue->second.empty()) agent.waiting.erase(queue);
    --agent.waiters;
    return true;
  }
  return false;
}

Status Registry::enter(const std::shared_ptr<ServerTunnel>& tunnel) {
  const std::lock_guard lock(mutex_);
  // Read under the lock: a revocation that comes later finds the tunnel here.
  if (tunnel->owner().lost()) return {Code::kUnauthenticated, "the agent's token was revoked"};
  Agent& agent = agents_[tunnel->owner().agent_id];
  const std::size_t taken = agent.offered - agent.idle;
  if (agent.all.size() - taken >= options_.max_idle_tunnels_per_agent) {
    return {Code::kResourceExhausted, "the agent has " + std::to_string(agent.all.size() - taken) +
                                          " tunnels that wait for a request, the limit"};
  }
  tunnel->place().in_all = agent.all.size();
  agent.all.push_back(tunnel);
  return {};
}

Status Registry::offer(const std::shared_ptr<ServerTunnel>& tunnel, Methods methods) {
  const std::lock_guard lock(mutex_);
  Place& place = tunnel->place();
  if (place.in_all == Place::kNone) return {Code::kCancelled, "the tunnel is over"};
  Agent& agent = agents_[tunnel->owner().agent_id];
  const auto same =
      std::ranges::find_if(agent.offers, [&](const auto& each) { return each->methods == methods; });
  if (same != agent.offers.end()) {
    place.offer = same->get();
  } else if (agent.offers.size() < options_.max_offers_per_agent) {
    place.offer = agent.offers.emplace_back(std::make_unique<Offer>()).get();
    place.offer->methods = std::move(methods);
  } else {
    return {Code::kResourceExhausted, "the agent's tunnels offer too many different sets of methods"};
  }
  ++place.offer->tunnels;
  ++agent.offered;
  agent.add_connection(tunnel->connection());
  return {};
}

void Registry::Agent::add_connection(const std::weak_ptr<const void>& connection) {
  const auto same = [&](const auto& each) {
    return !each.owner_before(connection) && !connection.owner_before(each);
  };
  if (std::ranges::any_of(connections, same)) return;
  std::erase_if(connections, [](const auto& each) { return each.expired(); });
  connections.push_back(connection);
}

std::shared_ptr<Link> Registry::put(const std::shared_ptr<ServerTunnel>& tunnel) {
  const std::lock_guard lock(mutex_);
  Place& place = tunnel->place();
  if (place.offer == nullptr) return nullptr;  // it is over
  Agent& agent = agents_.find(tunnel->owner().agent_id)->second;
  auto first = agent.waiting.end();
  for (auto queue = agent.waiting.begin(); queue != agent.waiting.end(); ++queue) {
    if (!place.offer->methods.contains(queue->first)) continue;
    if (first == agent.waiting.end() || queue->second.begin()->first < first->second.begin()->first)
      first = queue;
  }
  if (first == agent.waiting.end()) {
    place.in_idle = place.offer->idle.size();
    place.offer->idle.push_back(tunnel);
    ++agent.idle;
    return nullptr;
  }
  std::shared_ptr<Link> waiter = std::move(first->second.begin()->second);
  first->second.erase(first->second.begin());
  if (first->second.empty()) agent.waiting.erase(first);
  --agent.waiters;
  return waiter;
}

// Both lists are without order: the last one takes the place of one that leaves.
void Registry::leave_idle(Agent& agent, Place& place) {
  std::vector<std::shared_ptr<ServerTunnel>>& all = place.offer->idle;
  all.back()->place().in_idle = place.in_idle;
  std::swap(all[place.in_idle], all.back());
  all.pop_back();
  place.in_idle = Place::kNone;
  --agent.idle;
}

void Registry::leave_all(Agent& agent, const std::shared_ptr<ServerTunnel>& tunnel) {
  Place& place = tunnel->place();
  if (place.in_idle != Place::kNone) leave_idle(agent, place);
  if (place.offer != nullptr) {
    --agent.offered;
    if (--place.offer->tunnels == 0) {
      std::erase_if(agent.offers, [&](const auto& each) { return each.get() == place.offer; });
    }
    place.offer = nullptr;
  }
  agent.all.back()->place().in_all = place.in_all;
  std::swap(agent.all[place.in_all], agent.all.back());
  agent.all.pop_back();
  place.in_all = Place::kNone;
}

std::vector<std::shared_ptr<Link>> Registry::remove(const std::shared_ptr<ServerTunnel>& tunnel) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Link>> stranded;
  if (tunnel->place().in_all == Place::kNone) return stranded;
  Agent& agent = agents_.find(tunnel->owner().agent_id)->second;
  leave_all(agent, tunnel);
  if (!agent.connected()) {
    for (auto& [method, queue] : agent.waiting) {
      for (auto& [ticket, link] : queue) stranded.push_back(std::move(link));
    }
    agent.waiting.clear();
    agent.waiters = 0;
  }
  forget_if_empty(tunnel->owner().agent_id);
  return stranded;
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
    counts.idle_tunnels += agent.idle;
    counts.busy_tunnels += agent.offered - agent.idle;
    counts.waiting_calls += agent.waiters;
  }
  return counts;
}

bool Registry::connected(std::int64_t agent_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = agents_.find(agent_id);
  return found != agents_.end() && found->second.connected();
}

bool Registry::Agent::connected() const {
  return offered > 0 || std::ranges::any_of(connections, [](const auto& each) { return !each.expired(); });
}

void Registry::forget_if_empty(std::int64_t agent_id) {
  const auto found = agents_.find(agent_id);
  const Agent& agent = found->second;
  if (agent.all.empty() && !agent.connected() && agent.waiters == 0 && agent.calls == 0) agents_.erase(found);
}

}  // namespace towline::tunnel
