#include "control/git_http/child.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/git_http/hook.h"

namespace towline::control::git_http {
namespace {

// The child's end of each stream.
struct Ends {
  Descriptor input, output, errors, link;
};

Status make_streams(Child& child, Ends& ends, bool linked) {
  std::array<int, 2> pair{};
  // A socket and not a pipe, because writing to a pipe whose reader is gone raises SIGPIPE.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return errno_status(errno, "socketpair");
  child.input = Descriptor(pair[0]);
  ends.input = Descriptor(pair[1]);
  if (::pipe2(pair.data(), O_CLOEXEC) != 0) return errno_status(errno, "pipe");
  child.output = Descriptor(pair[0]);
  ends.output = Descriptor(pair[1]);
  if (::pipe2(pair.data(), O_CLOEXEC) != 0) return errno_status(errno, "pipe");
  child.errors = Descriptor(pair[0]);
  ends.errors = Descriptor(pair[1]);
  if (linked) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
      return errno_status(errno, "socketpair");
    child.link = Descriptor(pair[0]);
    ends.link = Descriptor(pair[1]);
  }
  // Ours only: the child's ends are blocking, as programs expect.
  for (const Descriptor* fd : {&child.input, &child.output, &child.errors, &child.link}) {
    if (fd->open() && ::fcntl(fd->get(), F_SETFL, O_NONBLOCK) != 0) return errno_status(errno, "fcntl");
  }
  return {};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// What posix_spawn does between fork and exec.
class SpawnPlan {
 public:
  explicit SpawnPlan(const Ends& ends) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, ends.input.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, ends.output.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, ends.errors.get(), STDERR_FILENO);
    if (ends.link.open()) posix_spawn_file_actions_adddup2(&actions_, ends.link.get(), kHookDescriptor);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kHookDescriptor + (ends.link.open() ? 1 : 0));
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Child::Child(Child&& other) noexcept
    : input(std::move(other.input)),
      output(std::move(other.output)),
      errors(std::move(other.errors)),
      link(std::move(other.link)),
      ended(std::move(other.ended)),
      pid_(std::exchange(other.pid_, 0)) {}

Result<Child> Child::spawn(const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment, bool linked) {
  Child child(0);
  Ends ends;
  if (Status status = make_streams(child, ends, linked); !status.ok()) return fail(status);
  const SpawnPlan plan(ends);
  const int error = ::posix_spawnp(&child.pid_, arguments[0].c_str(), plan.actions(), plan.attributes(),
                                   pointers(arguments).data(), pointers(environment).data());
  if (error != 0) {
    child.pid_ = 0;
    return fail(errno_status(error, "cannot run " + arguments[0]));
  }
  // Its own children inherit it. It has not been told yet what to do.
  const rlimit memory{.rlim_cur = kMaxChildMemory, .rlim_max = kMaxChildMemory};
  if (::prlimit(child.pid_, RLIMIT_DATA, &memory, nullptr) != 0 && errno != ESRCH)
    return fail(errno_status(errno, "prlimit"));
  // glibc 2.36 declares pidfd_open without C linkage.
  child.ended = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
  if (child.ended.get() < 0) return fail(errno_status(errno, "pidfd_open"));
  return child;
}

Child::~Child() {
  if (pid_ == 0) return;
  kill(true);
  reap();
}

void Child::kill(bool force) {
  if (pid_ != 0) ::kill(-pid_, force ? SIGKILL : SIGTERM);
}

int Child::reap() {
  const pid_t group = std::exchange(pid_, 0);
  int status = 0;
  while (::waitpid(group, &status, 0) < 0 && errno == EINTR) {
  }
  // As the first process of a container this one also inherits what the child has left behind.
  while (::waitpid(-group, nullptr, WNOHANG) > 0) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace towline::control::git_http
