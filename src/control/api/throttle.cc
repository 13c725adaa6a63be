#include "control/api/throttle.h"

#include <algorithm>

#include "base/url.h"

namespace towline::control::api {
namespace {

// A bucket is a hundred bytes; a flood from more addresses than this empties those that have refilled first.
constexpr std::size_t kMaxBuckets = 10'000;

}  // namespace

Throttle::Bucket& Throttle::refilled(std::string_view peer) {
  const std::string_view address = without_port(peer);
  const auto now = clock_.now();
  if (buckets_.size() >= kMaxBuckets) forget_full(now);
  auto [place, fresh] = buckets_.try_emplace(std::string(address), Bucket{policy_.burst, now});
  Bucket& bucket = place->second;
  const std::chrono::duration<double, std::ratio<60>> minutes = now - bucket.at;
  bucket.left = std::min(policy_.burst, bucket.left + minutes.count() * policy_.per_minute);
  bucket.at = now;
  return bucket;
}

bool Throttle::exhausted(std::string_view peer) {
  const std::lock_guard lock(mutex_);
  return refilled(peer).left < 1;
}

bool Throttle::failed(std::string_view peer) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = refilled(peer);
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

void Throttle::forget_full(Clock::TimePoint now) {
  std::erase_if(buckets_, [&](const auto& each) {
    const std::chrono::duration<double, std::ratio<60>> minutes = now - each.second.at;
    return each.second.left + minutes.count() * policy_.per_minute >= policy_.burst;
  });
  if (buckets_.size() >= kMaxBuckets) buckets_.clear();
}

}  // namespace towline::control::api
