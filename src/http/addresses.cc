#include "http/addresses.h"

#include <algorithm>

#include "http/trusted_proxies.h"

namespace towline::http {

std::shared_ptr<Load> Addresses::find(std::string_view peer) {
  std::string key = peer_bytes(peer);
  if (key.empty()) return nullptr;
  if (key.size() > 8) key.resize(8);
  const std::lock_guard lock(mutex_);
  if (loads_.size() >= prune_at_) {
    std::erase_if(loads_, [](const auto& entry) { return entry.second.expired(); });
    prune_at_ = std::max<std::size_t>(1024, 2 * loads_.size());
  }
  std::weak_ptr<Load>& known = loads_[std::move(key)];
  std::shared_ptr<Load> load = known.lock();
  if (load == nullptr) {
    load = std::make_shared<Load>();
    known = load;
  }
  return load;
}

std::size_t Addresses::size() const {
  const std::lock_guard lock(mutex_);
  return loads_.size();
}

}  // namespace towline::http
