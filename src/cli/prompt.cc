#include "cli/prompt.h"

#include <cerrno>
#include <fcntl.h>
#include <iterator>
#include <termios.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"

namespace towline::cli {
namespace {

// Turns the terminal's echo off while it lives.
class Silence {
 public:
  explicit Silence(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL;
    if (changed_) changed_ = ::tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
  }
  ~Silence() {
    if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  bool works() const { return changed_; }

 private:
  int fd_;
  termios before_{};
  bool changed_;
};

Result<std::string> read_line(int fd) {
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 && line.empty()) return fail(Code::kFailedPrecondition, "nothing was entered");
    if (n <= 0 || c == '\n') return std::string(trim(line, kSpace));
    line += c;
  }
}

Result<Descriptor> terminal(const std::string& question) {
  Descriptor tty(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (tty.get() < 0 || ::write(tty.get(), question.data(), question.size()) < 0) {
    return fail(Code::kInvalidArgument, "there is no terminal to ask at");
  }
  return tty;
}

}  // namespace

bool at_terminal() { return ::isatty(STDIN_FILENO) != 0; }

Result<Secret> ask_secret(const std::string& question) {
  const auto tty = terminal(question);
  if (!tty) return fail(tty.error());
  const Silence silence(tty->get());
  if (!silence.works())
    return fail(Code::kFailedPrecondition, "the terminal cannot hide what is typed: use --token-stdin");
  auto line = read_line(tty->get());
  if (!line) return fail(line.error());
  return Secret(std::move(*line));
}

Result<std::string> ask(const std::string& question) {
  const auto tty = terminal(question);
  if (!tty) return fail(tty.error());
  return read_line(tty->get());
}

Secret read_secret(std::istream& input) {
  const std::string text(std::istreambuf_iterator<char>(input), {});
  return Secret(std::string(trim(text, kSpace)));
}

}  // namespace towline::cli
