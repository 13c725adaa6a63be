#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/status.h"

namespace towline::kube {

/// A program to run, without a shell and without input.
struct ProcessSpec {
  std::string file;                      // path of the executable
  std::vector<std::string> arguments;    // after the name
  std::vector<std::string> environment;  // all of it, "NAME=value"
};

struct ProcessLimits {
  std::chrono::milliseconds time{60'000};
  std::size_t output = 1024 * 1024;
  std::size_t errors = 4 * 1024;  // the end of standard error is kept
};

struct ProcessResult {
  enum class End { kExited, kSignalled, kTimeout, kTooMuchOutput, kStopped };
  End end = End::kExited;
  int number = 0;  // exit status or signal
  Secret output;
  std::string errors;
};

/// Runs a program to its end and collects what it writes. It gets none of our descriptors and a process group
/// of its own, which is killed when a limit is reached or `stop` is requested. Processes that it leaves
/// behind when it ends by itself are not waited for. Blocks; errors are those of starting it.
Result<ProcessResult> run_process(const ProcessSpec& spec, const ProcessLimits& limits, std::stop_token stop);

}  // namespace towline::kube
