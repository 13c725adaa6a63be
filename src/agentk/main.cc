#include <cstdio>
#include <fcntl.h>
#include <string>

#include "agentk/agent.h"
#include "agentk/examine.h"
#include "agentk/flags.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/private_memory.h"
#include "base/signals.h"
#include "io/loop.h"
#include "io/watchdog.h"

namespace towline::agentk {
namespace {

// Kubernetes shows what stands there as the reason of the container's end. It makes the file; nobody else
// does.
void write_termination_log(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (file.open()) (void)write_all(file.get(), text + "\n", path);
}

int run(const Flags& flags, const Logger& log) {
  SignalWait signals;
  const SystemClock clock;
  std::string explanation;  // written by the loop, read when it has ended
  io::LoopGroup loops(1, clock);
  io::Watchdog watchdog(io::loops_of(loops), clock, {}, log);
  auto agent = Agent::start(
      loops, flags, watchdog,
      [&](std::string why) {
        explanation = std::move(why);
        signals.finish();
      },
      log);
  if (!agent) {
    log.error("cannot start", {{"error", agent.error().message()}});
    write_termination_log(flags.termination_log, "cannot start: " + agent.error().message());
    return 1;
  }
  const bool drained =
      signals.run([&] { (*agent)->stop([&] { signals.finish(); }); }, flags.shutdown_timeout_seconds);
  if (!drained) log.warn("stopped with requests running");
  watchdog.stop();
  loops.join();
  if (explanation.empty()) return 0;
  log.error("giving up", {{"error", explanation}});
  write_termination_log(flags.termination_log, explanation);
  return 1;
}

}  // namespace
}  // namespace towline::agentk

int main(int argc, char** argv) {
  using namespace towline;
  const agentk::ParsedFlags parsed = agentk::parse_flags(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;
  if (!parsed.flags.allow_core_dumps) keep_memory_private();
  if (parsed.flags.command == agentk::Command::kDoctor) return agentk::examine(parsed.flags);
  return agentk::run(parsed.flags,
                     Logger::to_stderr(parse_log_level(parsed.flags.log_level).value_or(LogLevel::kInfo)));
}
