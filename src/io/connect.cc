#include "io/connect.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <utility>

#include "base/once.h"
#include "io/address.h"
#include "io/descriptor.h"
#include "io/loop.h"
#include "io/tcp.h"

namespace towline::io {
namespace {

class TcpConnect final : public Operation, private Descriptor::Watcher {
 public:
  TcpConnect(Loop& loop, const ResolvedAddress& address, StreamCallback callback)
      : loop_(loop),
        step_("connect " + join_host_port(address.ip, address.port)),
        done_(std::move(callback)),
        failed_(loop, [this] { finish(fail(std::move(status_))); }) {
    if (Status status = begin(address); !status.ok()) {
      status_ = std::move(status);
      failed_.start(std::chrono::nanoseconds(0));
    }
  }

 private:
  Status begin(const ResolvedAddress& address) {
    auto parsed = parse_address(address.ip, address.port);
    if (!parsed) return parsed.error().with_prefix(step_);
    const int fd = ::socket(parsed->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno_status(errno, step_);
    const bool begun = ::connect(fd, parsed->get(), parsed->size) == 0 || errno == EINPROGRESS;
    const int error = errno;
    descriptor_.emplace(loop_, fd, static_cast<Watcher*>(this));
    if (!begun) return errno_status(error, step_);
    descriptor_->wait_to_write();
    return Status();
  }

  void ready_to_write() override {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(descriptor_->fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return finish(fail(errno_status(error, step_)));
    finish(adopt(loop_, descriptor_->release()));
  }

  // The callback may destroy this.
  void finish(Result<std::unique_ptr<Stream>> result) { done_(std::move(result)); }

  Loop& loop_;
  std::string step_;
  Once<Result<std::unique_ptr<Stream>>> done_;
  Status status_;
  Timer failed_;
  std::optional<Descriptor> descriptor_;
};

}  // namespace

std::unique_ptr<Operation> tcp_connect(Loop& loop, const ResolvedAddress& address, StreamCallback callback) {
  return std::make_unique<TcpConnect>(loop, address, std::move(callback));
}

std::chrono::milliseconds time_for_next(std::chrono::nanoseconds left, std::size_t count) {
  using std::chrono::milliseconds;
  constexpr milliseconds kLeast{2000};
  return std::max(std::chrono::duration_cast<milliseconds>(left) / static_cast<milliseconds::rep>(count),
                  kLeast);
}

}  // namespace towline::io
