#pragma once

#include "agentk/flags.h"

namespace towline::agentk {

/// `agentk doctor`: prints the report to standard output. Returns the exit code: 1 when a check failed.
int examine(const Flags& flags);

}  // namespace towline::agentk
