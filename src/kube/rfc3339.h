#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace towline::kube {

/// Reads a date as Kubernetes writes it (RFC 3339): 2006-01-02T15:04:05[.999999]Z or +07:00. One that the
/// clock cannot hold, year 9999 say, becomes the nearest that it can.
std::optional<Clock::WallTime> parse_rfc3339(std::string_view text);

/// Writes it with microseconds (metav1.MicroTime), or as metav1.Time wants it, without.
std::string format_rfc3339(Clock::WallTime time, bool with_micros = true);

}  // namespace towline::kube
