#include "base/backoff.h"

#include <algorithm>
#include <utility>

namespace towline {

Backoff::Backoff(Policy policy, std::function<double()> random)
    : policy_(policy), random_(std::move(random)), current_(policy.initial) {}

Backoff::Duration Backoff::next() {
  const auto full = static_cast<double>(current_.count());
  const double delay = full * (1.0 - policy_.jitter * random_());
  const double grown = std::min(full * policy_.factor, static_cast<double>(policy_.maximum.count()));
  current_ = Duration(static_cast<Duration::rep>(grown));
  return Duration(static_cast<Duration::rep>(delay));
}

}  // namespace towline
