#include "modules/kubernetes_api/server/access_cache.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "proto/kubernetes_api.pb.h"

namespace towline::kubernetes_api {

std::shared_ptr<const CachedAccess> prepare_access(control::Access access) {
  auto cached = std::make_shared<CachedAccess>();
  if (access.as) {
    ::gitlab::agent::kubernetes_api::rpc::HeaderExtra extra;
    auto& config = *extra.mutable_imp_config();
    config.set_username(access.as->username);
    config.set_uid(access.as->uid);
    for (const std::string& group : access.as->groups) config.add_groups(group);
    for (const auto& [key, values] : access.as->extra) {
      auto& entry = *config.add_extra();
      entry.set_key(key);
      for (const std::string& value : values) entry.add_val(value);
    }
    cached->extra = extra.SerializeAsString();
  }
  cached->access = std::move(access);
  return cached;
}

std::string credential_key(std::int64_t agent_id, const Secret& token) {
  return sha256(token.reveal()) + std::to_string(agent_id);
}

std::shared_ptr<const CachedAccess> AccessCache::find(std::int64_t agent_id, const Secret& token,
                                                      std::uint64_t generation) {
  const std::string wanted = credential_key(agent_id, token);
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(wanted);
  if (found == entries_.end()) return nullptr;
  if (found->second.generation != generation || found->second.expires <= clock_.now()) {
    entries_.erase(found);
    return nullptr;
  }
  return found->second.access;
}

void AccessCache::put(std::int64_t agent_id, const Secret& token, std::uint64_t generation,
                      std::shared_ptr<const CachedAccess> access) {
  std::string wanted = credential_key(agent_id, token);
  const std::lock_guard lock(mutex_);
  // Dropping everything is rare and cheap: each entry costs one question to the control plane.
  if (entries_.size() >= max_entries_) entries_.clear();
  Clock::Duration life = ttl_;
  if (access->access.expires_at) {
    life = std::min(life,
                    std::chrono::duration_cast<Clock::Duration>(*access->access.expires_at - clock_.wall()));
  }
  entries_[std::move(wanted)] = {std::move(access), generation, clock_.now() + life};
}

}  // namespace towline::kubernetes_api
