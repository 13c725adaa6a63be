#pragma once

#include <pthread.h>
#include <string>

#include "base/clock.h"

namespace towline::io {

/// What a thread of a pool is working on, for who looks after work that does not end.
struct RunningTask {
  std::string caller;        // whose it is, in words that a log may hold
  Clock::TimePoint since{};  // when it began
  pthread_t thread{};        // which lives as long as the pool
};

}  // namespace towline::io
