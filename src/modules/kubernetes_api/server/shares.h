#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace towline::kubernetes_api {

/// How many requests each user has running on each agent, so that nobody takes all of an agent. Safe from any
/// thread.
class Shares {
 public:
  using Running = std::map<std::pair<std::int64_t, std::string>, std::size_t>;
  /// One request that is counted, to be given back.
  using Share = Running::iterator;

  explicit Shares(std::size_t most) : most_(most) {}

  /// Nothing: the user has as many as may run.
  std::optional<Share> enter(std::int64_t agent_id, const std::string& user) {
    const std::lock_guard lock(mutex_);
    const Share share = running_.try_emplace({agent_id, user}).first;
    if (share->second >= most_) return std::nullopt;
    ++share->second;
    return share;
  }
  void leave(Share share) {
    const std::lock_guard lock(mutex_);
    if (--share->second == 0) running_.erase(share);
  }
  std::size_t most() const { return most_; }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  Running running_;
};

}  // namespace towline::kubernetes_api
