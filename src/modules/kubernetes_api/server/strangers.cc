#include "modules/kubernetes_api/server/strangers.h"

#include <utility>

#include "modules/kubernetes_api/server/access_cache.h"

namespace towline::kubernetes_api {
namespace {

/// Limit: different wrong credentials of the Kubernetes API from one address, as a burst and in a minute;
/// over it requests with credentials that are not remembered get 429 with Retry-After.
constexpr FailureThrottle::Policy kGuesses{.per_minute = 60, .burst = 100};
/// Limit: wrong credentials of the Kubernetes API that are remembered; over it all are forgotten and asked
/// for again.
constexpr std::size_t kMaxWrong = 10'000;
constexpr std::chrono::seconds kWrongFor{60};
/// Limit: right credentials of the Kubernetes API that are remembered in spite of changes; over it all are
/// forgotten, and refused like unknown ones where somebody guesses at the same address.
constexpr std::size_t kMaxRight = 50'000;

}  // namespace

Strangers::Strangers(const Clock& clock) : clock_(clock), guesses_(clock, kGuesses) {}

std::optional<Status> Strangers::refusal(std::int64_t agent_id, const Secret& token, std::uint64_t generation,
                                         std::string_view peer) {
  const std::string key = credential_key(agent_id, token);
  {
    const std::lock_guard lock(mutex_);
    const auto found = wrong_.find(key);
    if (found != wrong_.end() && found->second.expires > clock_.now()) {
      if (found->second.generation == generation) return found->second.status;
      return std::nullopt;
    }
    if (right_.contains(key)) return std::nullopt;
  }
  if (!guesses_.exhausted(address_block(peer, true))) return std::nullopt;
  return Status(Code::kResourceExhausted,
                "too many wrong access tokens came from this address; wait a minute, and check the token");
}

void Strangers::right(std::int64_t agent_id, const Secret& token) {
  const std::lock_guard lock(mutex_);
  if (right_.size() >= kMaxRight) right_.clear();
  right_.insert(credential_key(agent_id, token));
}

void Strangers::wrong(std::int64_t agent_id, const Secret& token, std::uint64_t generation,
                      std::string_view peer, const Status& status) {
  const auto now = clock_.now();
  const std::string key = credential_key(agent_id, token);
  {
    const std::lock_guard lock(mutex_);
    right_.erase(key);
    if (wrong_.size() >= kMaxWrong) wrong_.clear();
    const auto [entry, is_new] = wrong_.try_emplace(key);
    const bool counted = !is_new && entry->second.expires > now;
    entry->second = {status, generation, now + kWrongFor};
    if (counted) return;
  }
  guesses_.failed(address_block(peer, true));
}

}  // namespace towline::kubernetes_api
