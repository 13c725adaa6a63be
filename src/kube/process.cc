#include "kube/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "base/files.h"

namespace towline::kube {
namespace {

using Instant = std::chrono::steady_clock::time_point;

struct Pipe {
  Descriptor read;   // does not block
  Descriptor write;  // blocks, as programs expect of their output
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// The two structures of posix_spawn, set up for a program that gets nothing of ours.
class SpawnSettings {
 public:
  SpawnSettings(int output, int errors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  int spawn(pid_t& pid, const ProcessSpec& spec) const {
    std::vector<char*> argv{const_cast<char*>(spec.file.c_str())};
    for (const std::string& argument : spec.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    std::vector<char*> environment;
    for (const std::string& entry : spec.environment) environment.push_back(const_cast<char*>(entry.c_str()));
    argv.push_back(nullptr);
    environment.push_back(nullptr);
    return posix_spawn(&pid, spec.file.c_str(), &actions_, &attributes_, argv.data(), environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// One program under way.
class Run {
 public:
  explicit Run(const ProcessLimits& limits) : limits_(limits) {}

  Status start(const ProcessSpec& spec) {
    auto output = make_pipe();
    auto errors = make_pipe();
    wake_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!output || !errors || !wake_.open()) return errno_status(errno, "pipe");
    const SpawnSettings settings(output->write.get(), errors->write.get());
    if (const int error = settings.spawn(pid_, spec); error != 0) return errno_status(error, "start");
    output_ = std::move(output->read);
    errors_ = std::move(errors->read);
    // By number: glibc 2.36 declares pidfd_open without C linkage.
    process_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (process_.open()) return Status();
    const Status status = errno_status(errno, "pidfd_open");
    kill_and_reap();
    return status;
  }

  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  ProcessResult finish() {
    // All at once: a string that grows leaves copies of the secret behind.
    collected_.reserve(limits_.output + 1);
    const Instant deadline = std::chrono::steady_clock::now() + limits_.time;
    ProcessResult result;
    if (const auto cut = collect(deadline)) {
      kill_and_reap();
      result.end = *cut;
    } else {
      end_of(reap(), result);
    }
    result.output = Secret(std::move(collected_));
    result.errors = std::move(error_text_);
    return result;
  }

 private:
  using End = ProcessResult::End;

  /// Reads until the program has ended, which gives nothing, or must be ended, which gives the reason.
  std::optional<End> collect(Instant deadline) {
    while (true) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return End::kTimeout;
      std::array<pollfd, 4> events{{{process_.get(), POLLIN, 0},
                                    {wake_.get(), POLLIN, 0},
                                    {output_.get(), POLLIN, 0},
                                    {errors_.get(), POLLIN, 0}}};
      const int wait = static_cast<int>(std::min<std::int64_t>(left.count(), 60'000));
      if (::poll(events.data(), events.size(), wait) < 0 && errno != EINTR) return End::kStopped;
      if (events[1].revents != 0) return End::kStopped;
      // Looked at before reading, so that what was written before the end is read.
      const bool ended = events[0].revents != 0;
      if (!drain_output()) return End::kTooMuchOutput;
      drain_errors();
      if (ended) return std::nullopt;
    }
  }

  /// Reads what is there; 0 when that is nothing.
  static std::size_t read_some(Descriptor& from, std::array<char, 4096>& buffer) {
    while (from.open()) {
      const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
      if (n > 0) return static_cast<std::size_t>(n);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return 0;
      from.close();
    }
    return 0;
  }

  bool drain_output() {
    std::array<char, 4096> buffer;
    while (const std::size_t n = read_some(output_, buffer)) {
      if (collected_.size() + n > limits_.output) return false;
      collected_.append(buffer.data(), n);
    }
    return true;
  }

  void drain_errors() {
    std::array<char, 4096> buffer;
    // A program that writes without end gets no more than a turn before limits are looked at.
    for (int turn = 0; turn < 64; ++turn) {
      const std::size_t n = read_some(errors_, buffer);
      if (n == 0) return;
      error_text_.append(buffer.data(), n);
      if (error_text_.size() > limits_.errors) error_text_.erase(0, error_text_.size() - limits_.errors);
    }
  }

  void kill_and_reap() {
    ::kill(-pid_, SIGKILL);
    reap();
  }

  int reap() const {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  static void end_of(int status, ProcessResult& result) {
    const bool signalled = WIFSIGNALED(status);
    result.end = signalled ? End::kSignalled : End::kExited;
    result.number = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
  }

  const ProcessLimits limits_;
  pid_t pid_ = -1;
  Descriptor process_;
  Descriptor wake_;
  Descriptor output_;
  Descriptor errors_;
  std::string collected_;
  std::string error_text_;
};

}  // namespace

Result<ProcessResult> run_process(const ProcessSpec& spec, const ProcessLimits& limits,
                                  std::stop_token stop) {
  Run run(limits);
  if (const Status status = run.start(spec); !status.ok()) return fail(status);
  const std::stop_callback waker(std::move(stop), [&run] { run.wake(); });
  return run.finish();
}

}  // namespace towline::kube
