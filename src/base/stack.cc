#include "base/stack.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <cxxabi.h>
#include <memory>
#include <mutex>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>
#include <unwind.h>
#include <utility>
#include <vector>

#include "base/symbols.h"

namespace towline {
namespace {

/// Limit: functions of a stack that is logged; the outer ones are left out.
constexpr std::size_t kMaxFrames = 40;

int stack_signal() { return SIGRTMIN + 6; }

// Counts the questions. A signal orders no memory between the thread that sends it and the handler, and a
// semaphore not for every tool that looks for races; this and Question::noted do.
std::atomic<unsigned> questions{0};

// What one thread is asked. It outlives a thread that answers late: see Late.
struct Question {
  Question() { sem_init(&answered, 0, 0); }
  ~Question() { sem_destroy(&answered); }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  std::array<std::uintptr_t, kMaxFrames> frames{};
  std::size_t count = 0;
  bool inside = false;  // past the handler's own functions
  std::atomic<bool> noted = false;
  sem_t answered{};
};

_Unwind_Reason_Code note(_Unwind_Context* context, void* into) {
  Question& question = *static_cast<Question*>(into);
  int interrupted = 0;
  const auto address = static_cast<std::uintptr_t>(_Unwind_GetIPInfo(context, &interrupted));
  question.inside = question.inside || interrupted != 0;
  if (!question.inside) return _URC_NO_REASON;
  if (address == 0 || question.count == kMaxFrames) return _URC_END_OF_STACK;
  // A return address stands behind the call, which may be in the next function already.
  question.frames[question.count++] = interrupted != 0 ? address : address - 1;
  return _URC_NO_REASON;
}

// In the thread that is asked. Nothing here but what a signal handler may do (signal-safety(7)); unwinding
// takes no lock and no memory, as glibc finds modules without.
void answer(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE || info->si_pid != getpid() || info->si_value.sival_ptr == nullptr) return;
  const int error = errno;
  (void)questions.load(std::memory_order_acquire);
  auto& question = *static_cast<Question*>(info->si_value.sival_ptr);
  _Unwind_Backtrace(note, &question);
  question.noted.store(true, std::memory_order_release);
  sem_post(&question.answered);
  errno = error;
}

bool wait(sem_t& semaphore, std::chrono::milliseconds limit) {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const auto nanoseconds = std::chrono::nanoseconds(limit).count() + until.tv_nsec;
  until.tv_sec += nanoseconds / 1'000'000'000;
  until.tv_nsec = nanoseconds % 1'000'000'000;
  int result = 0;
  do result = sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

// Questions that were given up, until they are answered all the same: a thread may come to it at any time.
class Late {
 public:
  void add(std::unique_ptr<Question> question) {
    const std::lock_guard lock(mutex_);
    std::erase_if(questions_, [](const auto& old) { return sem_trywait(&old->answered) == 0; });
    questions_.push_back(std::move(question));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Question>> questions_;
};

Late& late() {
  static Late& all = *new Late;  // outlives every thread
  return all;
}

_Unwind_Reason_Code nothing(_Unwind_Context*, void*) { return _URC_END_OF_STACK; }

}  // namespace

StackReader::StackReader() {
  _Unwind_Backtrace(nothing, nullptr);  // loads what is loaded once, which a handler may not do
  struct sigaction action {};
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(stack_signal(), &action, nullptr);
}

Stack StackReader::read(pthread_t thread, std::chrono::milliseconds limit) {
  auto question = std::make_unique<Question>();
  sigval value{};
  value.sival_ptr = question.get();
  questions.fetch_add(1, std::memory_order_release);
  if (pthread_sigqueue(thread, stack_signal(), value) != 0) return {};
  if (!wait(question->answered, limit) || !question->noted.load(std::memory_order_acquire)) {
    late().add(std::move(question));
    return {};
  }
  return {question->frames.begin(), question->frames.begin() + static_cast<std::ptrdiff_t>(question->count)};
}

std::string to_text(const Stack& stack) {
  std::string text;
  Symbols symbols;
  for (const std::uintptr_t address : stack) {
    if (!text.empty()) text += " <- ";
    text += symbols.name_of(address);
  }
  return text;
}

}  // namespace towline
