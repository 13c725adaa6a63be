#include "base/signals.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace towline {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

SignalWait::SignalWait() : wakeup_(eventfd(0, EFD_CLOEXEC)) {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool SignalWait::run(const std::function<void()>& first, int seconds) {
  const sigset_t set = stop_signals();
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);
  std::array<pollfd, 2> descriptors = {{{signals, POLLIN, 0}, {wakeup_, POLLIN, 0}}};
  bool stopping = false;
  bool finished = false;
  std::chrono::steady_clock::time_point deadline;
  while (true) {
    int wait = -1;
    if (stopping) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) break;
      wait = static_cast<int>(left.count());
    }
    if (poll(descriptors.data(), descriptors.size(), wait) <= 0) continue;
    if ((descriptors[1].revents & POLLIN) != 0) {
      finished = true;
      break;
    }
    signalfd_siginfo info{};
    if (read(signals, &info, sizeof info) != sizeof info) continue;
    if (stopping) break;
    stopping = true;
    deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    first();
  }
  close(signals);
  return finished;
}

void SignalWait::finish() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wakeup_, &one, sizeof one);
}

}  // namespace towline
