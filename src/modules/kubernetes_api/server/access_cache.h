#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/secret.h"
#include "control/backend.h"

namespace towline::kubernetes_api {

/// An answer of the control plane, prepared for use.
struct CachedAccess {
  control::Access access;
  /// HeaderExtra in an Any, serialized as grpctool.HttpRequest.Header.extra wants it; empty without
  /// impersonation.
  std::string extra;
};

/// What a credential for an agent is remembered by; a hash.
std::string credential_key(std::int64_t agent_id, const Secret& token);

/// Prepares an answer.
std::shared_ptr<const CachedAccess> prepare_access(control::Access access);

/// Remembers who may use which agent, so that a request costs no SQL. Entries hold for `ttl` and no longer
/// than their credential, and only while the control plane has not changed (Backend::access_generation). Only
/// tokens' hashes are kept. Thread-safe.
class AccessCache {
 public:
  AccessCache(const Clock& clock, Clock::Duration ttl, std::size_t max_entries)
      : clock_(clock), ttl_(ttl), max_entries_(max_entries) {}

  std::shared_ptr<const CachedAccess> find(std::int64_t agent_id, const Secret& token,
                                           std::uint64_t generation);
  void put(std::int64_t agent_id, const Secret& token, std::uint64_t generation,
           std::shared_ptr<const CachedAccess> access);

 private:
  struct Entry {
    std::shared_ptr<const CachedAccess> access;
    std::uint64_t generation;
    Clock::TimePoint expires;
  };

  const Clock& clock_;
  const Clock::Duration ttl_;
  const std::size_t max_entries_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace towline::kubernetes_api
