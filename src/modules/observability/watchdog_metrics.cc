#include "modules/observability/watchdog_metrics.h"

#include "io/watchdog.h"
#include "modules/observability/observability.h"

namespace towline::observability {

void add_watchdog_metrics(Observability& observability, const std::string& program,
                          const io::Watchdog& watchdog) {
  observability.gauge(program + "_loop_stalls_total", "Times that an event loop did not go on for seconds.",
                      [&watchdog] { return static_cast<double>(watchdog.counts().loop_stalls); });
  observability.gauge(program + "_loop_longest_turn_seconds",
                      "The longest time that an event loop took to come to its next task.",
                      [&watchdog] { return watchdog.counts().longest_turn_seconds; });
  observability.gauge(program + "_task_stalls_total", "Pieces of work that held a thread of a pool for long.",
                      [&watchdog] { return static_cast<double>(watchdog.counts().task_stalls); });
}

}  // namespace towline::observability
