#include <cstdio>

#include "agentk/agent.h"
#include "agentk/flags.h"
#include "base/clock.h"
#include "base/signals.h"
#include "io/loop.h"

int main(int argc, char** argv) {
  using namespace towline;
  const agentk::ParsedFlags parsed = agentk::parse_flags(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;
  const Logger log = Logger::to_stderr(parse_log_level(parsed.flags.log_level).value_or(LogLevel::kInfo));

  SignalWait signals;
  const SystemClock clock;
  io::LoopGroup loops(1, clock);
  auto agent = agentk::Agent::start(loops, parsed.flags, log);
  if (!agent) {
    log.error("cannot start", {{"error", agent.error().message()}});
    return 1;
  }
  const bool drained = signals.run([&] { (*agent)->stop([&] { signals.finish(); }); },
                                   parsed.flags.shutdown_timeout_seconds);
  if (!drained) log.warn("stopped with requests running");
  loops.join();
  return 0;
}
