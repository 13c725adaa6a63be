#pragma once

#include <functional>

namespace towline {

/// Waits in the calling thread for SIGTERM or SIGINT and runs `first` for the first one. Returns when
/// finish() is called, when a second signal comes, or `seconds` after the first. Block the signals before any
/// thread is started.
class SignalWait {
 public:
  /// Blocks SIGTERM, SIGINT and SIGPIPE in this thread and those it starts.
  SignalWait();
  /// True when finish() ended the wait.
  bool run(const std::function<void()>& first, int seconds);
  /// From any thread.
  void finish();

 private:
  int wakeup_ = -1;
};

}  // namespace towline
