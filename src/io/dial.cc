#include "io/dial.h"

#include <utility>

#include "base/once.h"
#include "io/address.h"
#include "io/connect.h"
#include "io/loop.h"
#include "io/tls.h"

namespace towline::io {
namespace {

using std::chrono::milliseconds;

class Dial final : public Operation {
 public:
  Dial(Resolver& resolver, Loop& loop, DialTarget target, milliseconds timeout, StreamCallback callback)
      : loop_(loop),
        target_(std::move(target)),
        timeout_(timeout),
        deadline_(loop.now() + timeout),
        done_(std::move(callback)),
        overall_(loop, [this] { finish(fail(timed_out())); }),
        attempt_(loop, [this] { address_failed(timed_out()); }) {
    overall_.start(timeout);
    step_name_ = "resolve " + target_.host;
    step_ = resolver.resolve(loop, target_.host, target_.port,
                             [this](auto result) { resolved(std::move(result)); });
  }

 private:
  void resolved(Result<std::vector<ResolvedAddress>> result) {
    if (!result) return finish(fail(std::move(result.error())));
    addresses_ = std::move(*result);
    failure_ = Status(Code::kUnavailable, step_name_ + ": the name has no address");
    connect_next();
  }

  void connect_next() {
    if (next_ == addresses_.size()) return finish(fail(std::move(failure_)));
    const ResolvedAddress& address = addresses_[next_++];
    step_name_ = "connect " + join_host_port(address.ip, address.port);
    attempt_.start(time_for_next(deadline_ - loop_.now(), addresses_.size() - next_ + 1));
    step_ = tcp_connect(loop_, address, [this](auto result) { connected(std::move(result)); });
  }

  void connected(Result<std::unique_ptr<Stream>> result) {
    if (!result) return address_failed(std::move(result.error()));
    attempt_.cancel();
    if (target_.tls == nullptr) return finish(std::move(result));
    secure(std::move(*result));
  }

  void address_failed(Status status) {
    failure_ = std::move(status);
    connect_next();
  }

  void secure(std::unique_ptr<Stream> stream) {
    const std::string& name = target_.tls_server_name.empty() ? target_.host : target_.tls_server_name;
    step_name_ = "TLS handshake with " + name + " (" + std::string(stream->peer()) + ")";
    step_ = tls_connect(loop_, std::move(stream), target_.tls, name, target_.alpn, timeout_,
                        [this](auto result) { finish(std::move(result)); });
  }

  Status timed_out() const {
    return Status(Code::kDeadlineExceeded,
                  step_name_ + ": no answer within " + std::to_string(timeout_.count()) + " ms");
  }

  // The callback may destroy this.
  void finish(Result<std::unique_ptr<Stream>> result) {
    overall_.cancel();
    attempt_.cancel();
    step_.reset();
    done_(std::move(result));
  }

  Loop& loop_;
  DialTarget target_;
  milliseconds timeout_;
  Clock::TimePoint deadline_;
  Once<Result<std::unique_ptr<Stream>>> done_;
  Timer overall_;
  Timer attempt_;
  std::string step_name_;  // what is being done, for the error of a timeout
  std::vector<ResolvedAddress> addresses_;
  std::size_t next_ = 0;
  Status failure_;  // of the address tried last
  std::unique_ptr<Operation> step_;
};

class DirectDialer final : public Dialer {
 public:
  explicit DirectDialer(Resolver& resolver) : resolver_(resolver) {}

  std::unique_ptr<Operation> dial(Loop& loop, DialTarget target, milliseconds timeout,
                                  StreamCallback callback) override {
    return std::make_unique<Dial>(resolver_, loop, std::move(target), timeout, std::move(callback));
  }

 private:
  Resolver& resolver_;
};

}  // namespace

std::unique_ptr<Dialer> direct_dialer(Resolver& resolver) { return std::make_unique<DirectDialer>(resolver); }

}  // namespace towline::io
