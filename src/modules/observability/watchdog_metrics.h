#pragma once

#include <string>

namespace towline::io {
class Watchdog;
}

namespace towline::observability {

class Observability;

/// What a program's watchdog counts, under names that begin with the `program`'s. The watchdog outlives it.
void add_watchdog_metrics(Observability& observability, const std::string& program,
                          const io::Watchdog& watchdog);

}  // namespace towline::observability
