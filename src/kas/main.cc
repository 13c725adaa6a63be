#include <algorithm>
#include <malloc.h>
#include <sys/resource.h>
#include <thread>

#include "base/private_memory.h"
#include "base/service_manager.h"
#include "base/signals.h"
#include "io/loop.h"
#include "io/watchdog.h"
#include "kas/flags.h"
#include "kas/server.h"

namespace {

// A connection costs a descriptor: take what the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Few arenas, and large blocks by mmap always, so that the memory of one great answer goes back to the
// system: by default each thread of a pool keeps the most that it ever had.
void bound_allocator(std::size_t loops) {
  mallopt(M_ARENA_MAX, static_cast<int>(loops) + 1);
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

void tell_manager(std::string_view state, towline::Logger& log) {
  const towline::Status told = towline::tell_service_manager(state);
  if (!told.ok())
    log.warn("the service manager could not be told", {{"state", state}, {"error", told.message()}});
}

}  // namespace

int main(int argc, char** argv) {
  using namespace towline;
  const kas::ParsedFlags parsed = kas::parse_flags(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;
  Logger log = Logger::to_stderr(parse_log_level(parsed.flags.log_level).value_or(LogLevel::kInfo));
  raise_descriptor_limit();
  if (!parsed.flags.allow_core_dumps) keep_memory_private();

  SignalWait signals;
  const SystemClock clock;
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t count =
      parsed.flags.loops == 0 ? std::max<std::size_t>(cores / 2, 1) : parsed.flags.loops;
  bound_allocator(count);
  io::LoopGroup loops(count, clock);
  // One write for the requests that end in the same turn of a loop.
  log.flush_later([&log] {
    io::Loop* const loop = io::Loop::current();
    if (loop != nullptr) loop->post([&log] { log.flush(); });
    return loop != nullptr;
  });
  io::Watchdog watchdog(io::loops_of(loops), clock, {}, log);
  auto server = kas::Server::start(loops, clock, parsed.flags, watchdog, log);
  if (!server) {
    log.error("cannot start", {{"error", server.error().message()}});
    return 1;
  }
  tell_manager("READY=1", log);
  const auto stop = [&] {
    tell_manager("STOPPING=1", log);
    (*server)->stop([&] { signals.finish(); });
  };
  const bool drained = signals.run(stop, parsed.flags.shutdown_timeout_seconds);
  if (!drained) log.warn("stopped with requests running");
  watchdog.stop();
  loops.join();
  log.flush();
  return 0;
}
