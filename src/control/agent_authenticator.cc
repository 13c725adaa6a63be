#include "control/agent_authenticator.h"

#include <utility>

#include "base/encoding.h"
#include "io/loop.h"

namespace towline::control {
namespace {

// Beyond this many remembered tokens all are forgotten; each costs one question to the control plane.
constexpr std::size_t kMaxEntries = 50'000;
constexpr std::size_t kMaxToken = 512;

}  // namespace

AgentAuthenticator::AgentAuthenticator(Backend& backend, const Clock& clock, Clock::Duration ttl)
    : backend_(backend), clock_(clock), ttl_(ttl) {
  subscription_ = backend.subscribe([cache = cache_](const Event& event) {
    const auto* revoked = std::get_if<AgentTokenRevoked>(&event);
    if (revoked == nullptr) return;
    const std::lock_guard lock(cache->mutex);
    ++cache->generation;
    std::erase_if(cache->entries,
                  [&](const auto& each) { return each.second.agent.agent.id == revoked->agent_id; });
  });
}

void AgentAuthenticator::authenticate(io::Loop& loop, const http::Headers& metadata, Answer answer) {
  const std::string_view header = metadata.get("authorization").value_or("");
  const bool bearer = header.size() > 7 && http::equals_ignoring_case(header.substr(0, 7), "bearer ");
  if (!bearer || header.size() > kMaxToken) {
    loop.post([answer = std::move(answer)]() mutable {
      answer(fail(Code::kUnauthenticated, "the call carries no agent token"));
    });
    return;
  }
  const std::string_view token = header.substr(7);
  std::string key = sha256(token);
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(cache_->mutex);
    generation = cache_->generation;
    const auto found = cache_->entries.find(key);
    if (found != cache_->entries.end() && found->second.expires > clock_.now()) {
      loop.post(
          [answer = std::move(answer), agent = found->second.agent]() mutable { answer(std::move(agent)); });
      return;
    }
  }
  backend_.agent_by_token(loop, Secret(std::string(token)),
                          [cache = cache_, key = std::move(key), generation, expires = clock_.now() + ttl_,
                           answer = std::move(answer)](Result<AuthenticatedAgent> agent) mutable {
                            if (agent) {
                              const std::lock_guard lock(cache->mutex);
                              if (cache->entries.size() >= kMaxEntries) cache->entries.clear();
                              if (cache->generation == generation) {
                                cache->entries[std::move(key)] = {*agent, expires};
                              }
                            }
                            answer(std::move(agent));
                          });
}

bool TokenRateLimiter::allow(std::int64_t token_id) {
  const std::lock_guard lock(mutex_);
  const Clock::TimePoint oldest = clock_.now() - std::chrono::minutes(1);
  std::deque<Clock::TimePoint>& events = events_[token_id];
  while (!events.empty() && events.front() < oldest) events.pop_front();
  if (events.size() >= limit_) return false;
  events.push_back(clock_.now());
  return true;
}

}  // namespace towline::control
