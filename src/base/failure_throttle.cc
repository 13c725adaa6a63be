#include "base/failure_throttle.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <vector>

#include "base/url.h"

namespace towline {

double FailureThrottle::refilled(const Bucket& bucket, Clock::TimePoint now) const {
  const std::chrono::duration<double, std::ratio<60>> minutes = now - bucket.at;
  return std::min(policy_.burst, bucket.left + minutes.count() * policy_.per_minute);
}

FailureThrottle::Bucket& FailureThrottle::bucket_of(std::string_view name) {
  const auto now = clock_.now();
  const auto known = buckets_.find(name);
  if (known != buckets_.end()) {
    known->second = {refilled(known->second, now), now};
    return known->second;
  }
  if (buckets_.size() >= kMaxBuckets) make_room(now);
  return buckets_.emplace(std::string(name), Bucket{policy_.burst, now}).first->second;
}

bool FailureThrottle::exhausted(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto known = buckets_.find(name);
  return known != buckets_.end() && refilled(known->second, clock_.now()) < 1;
}

bool FailureThrottle::failed(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = bucket_of(name);
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

// Half of them goes, so that this is seldom: a flood of names must not free the few that try and try.
void FailureThrottle::make_room(Clock::TimePoint now) {
  std::vector<double> left;
  left.reserve(buckets_.size());
  for (const auto& [name, bucket] : buckets_) left.push_back(refilled(bucket, now));
  const auto middle = left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2);
  std::nth_element(left.begin(), middle, left.end());
  const double least = *middle;
  std::erase_if(buckets_, [&](const auto& each) { return refilled(each.second, now) >= least; });
}

std::string address_block(std::string_view peer, bool exact) {
  const std::string_view address = without_port(peer);
  std::string text(address);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  constexpr std::string_view kMapped = "::ffff:";
  if (text.starts_with(kMapped) && text.contains('.')) text.erase(0, kMapped.size());
  std::array<unsigned char, 16> bytes{};
  const bool v4 = ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1;
  if (v4 && exact) return text;
  if (!v4 && ::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::string(address);
  const std::size_t kept = v4 ? 3 : exact ? 8 : 7;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), '\0');
  std::array<char, INET6_ADDRSTRLEN> out{};
  ::inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data(), out.data(), out.size());
  return std::string(out.data()) + "/" + std::to_string(kept * 8);
}

}  // namespace towline
