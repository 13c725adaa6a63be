#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace towline::kubernetes_api {

/// How many requests each user has running on each agent, so that nobody takes all of an agent. Safe from any
/// thread.
class Shares {
 public:
  explicit Shares(std::size_t most) : most_(most) {}

  /// False: the user has as many as may run; nothing is counted.
  bool enter(std::int64_t agent_id, const std::string& user) {
    const std::lock_guard lock(mutex_);
    std::size_t& running = running_[{agent_id, user}];
    if (running >= most_) return false;
    ++running;
    return true;
  }
  void leave(std::int64_t agent_id, const std::string& user) {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find({agent_id, user});
    if (found != running_.end() && --found->second == 0) running_.erase(found);
  }
  std::size_t most() const { return most_; }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::map<std::pair<std::int64_t, std::string>, std::size_t> running_;
};

}  // namespace towline::kubernetes_api
