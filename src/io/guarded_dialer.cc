#include "io/guarded_dialer.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/once.h"
#include "io/address.h"
#include "io/connect.h"
#include "io/loop.h"

namespace towline::io {
namespace {

using std::chrono::milliseconds;

/// Limit: addresses of one name that are tried for a user's URL; the others are left out. An answer of name
/// servers can hold thousands.
constexpr std::size_t kMaxAddresses = 16;

// What the dials of a dialer share.
struct Guard {
  Resolver& resolver;
  Dialer& direct;
  AddressPolicy policy;
  ProxySettings proxies;
  std::shared_ptr<TlsClientContext> proxy_tls;
};

class GuardedDial final : public Operation {
 public:
  GuardedDial(std::shared_ptr<const Guard> guard, Loop& loop, DialTarget target, milliseconds timeout,
              StreamCallback callback)
      : guard_(std::move(guard)),
        loop_(loop),
        target_(std::move(target)),
        timeout_(timeout),
        deadline_(loop.now() + timeout),
        done_(std::move(callback)),
        overall_(loop, [this] { finish(fail(timed_out())); }),
        refused_(loop, [this] { finish(fail(std::move(failure_))); }),
        unanswered_(loop, [this] { ask_proxy(); }) {
    overall_.start(timeout);
    if (target_.tls_server_name.empty()) target_.tls_server_name = target_.host;
    begin();
  }

 private:
  void begin() {
    failure_ = guard_->policy.check_host(target_.host, target_.port);
    if (!failure_.ok()) return refused_.start(std::chrono::nanoseconds(0));
    if (const auto literal = literal_address(target_.host, target_.port)) hosts_ = {ip_of(*literal)};
    const Url* const proxy = guard_->proxies.proxy_for(hosts_.empty() ? target_.host : hosts_.front(),
                                                       target_.port, target_.tls != nullptr);
    if (proxy != nullptr) proxy_ = connect_dialer(guard_->direct, *proxy, guard_->proxy_tls);
    if (!hosts_.empty()) return dial_next();
    step_name_ = "resolve " + target_.host;
    // Name servers that are silent leave time for the proxy.
    if (proxy_ != nullptr) unanswered_.start(timeout_ / 2);
    step_ = guard_->resolver.resolve(loop_, target_.host, target_.port,
                                     [this](auto result) { resolved(std::move(result)); });
  }

  void resolved(Result<std::vector<ResolvedAddress>> result) {
    unanswered_.cancel();
    if (!result) return not_resolved(std::move(result.error()));
    if (result->empty())
      return not_resolved(Status(Code::kUnavailable, step_name_ + ": the name has no address"));
    for (const ResolvedAddress& found : *result) keep(found);
    if (hosts_.empty()) return finish(fail(failure_.with_prefix(target_.host)));
    dial_next();
  }

  // What is dialled is the text of the address that was checked, not the one that came.
  void keep(const ResolvedAddress& found) {
    const auto address = parse_address(found.ip, target_.port);
    Status status = address ? guard_->policy.check_address(target_.host, *address) : address.error();
    if (!status.ok()) {
      if (failure_.ok()) failure_ = std::move(status);
    } else if (hosts_.size() < kMaxAddresses) {
      hosts_.push_back(ip_of(*address));
    }
  }

  void not_resolved(Status why) {
    if (proxy_ == nullptr) return finish(fail(std::move(why)));
    ask_proxy();
  }

  // The exception: see guarded_dialer().
  void ask_proxy() {
    hosts_ = {target_.host};
    dial_next();
  }

  void dial_next() {
    if (next_ == hosts_.size()) return finish(fail(std::move(failure_)));
    const milliseconds time = time_for_next(deadline_ - loop_.now(), hosts_.size() - next_);
    DialTarget target = target_;
    target.host = hosts_[next_++];
    step_name_ = "connect " + join_host_port(target.host, target.port);
    const auto done = [this](Result<std::unique_ptr<Stream>> stream) {
      if (stream) return finish(std::move(stream));
      failure_ = std::move(stream.error());
      dial_next();
    };
    Dialer& dialer = proxy_ == nullptr ? guard_->direct : *proxy_;
    step_ = dialer.dial(loop_, std::move(target), time, done);
  }

  Status timed_out() const {
    return Status(Code::kDeadlineExceeded,
                  step_name_ + ": no answer within " + std::to_string(timeout_.count()) + " ms");
  }

  // The callback may destroy this.
  void finish(Result<std::unique_ptr<Stream>> result) {
    overall_.cancel();
    refused_.cancel();
    unanswered_.cancel();
    step_.reset();
    done_(std::move(result));
  }

  const std::shared_ptr<const Guard> guard_;
  Loop& loop_;
  DialTarget target_;
  const milliseconds timeout_;
  const Clock::TimePoint deadline_;
  Once<Result<std::unique_ptr<Stream>>> done_;
  Timer overall_;
  Timer refused_;
  Timer unanswered_;                // the time of the name servers, where there is a proxy
  std::unique_ptr<Dialer> proxy_;   // through the one for the target; null: there is none
  std::string step_name_;           // what is being done, for the error of a timeout
  std::vector<std::string> hosts_;  // to dial: addresses that have passed, or the name for the proxy alone
  std::size_t next_ = 0;
  Status failure_;  // the first refusal; then what became of the host dialled last
  std::unique_ptr<Operation> step_;
};

class GuardedDialer final : public Dialer {
 public:
  explicit GuardedDialer(Guard guard) : guard_(std::make_shared<const Guard>(std::move(guard))) {}

  std::unique_ptr<Operation> dial(Loop& loop, DialTarget target, milliseconds timeout,
                                  StreamCallback callback) override {
    return std::make_unique<GuardedDial>(guard_, loop, std::move(target), timeout, std::move(callback));
  }

 private:
  std::shared_ptr<const Guard> guard_;
};

}  // namespace

std::unique_ptr<Dialer> guarded_dialer(Resolver& resolver, Dialer& direct, AddressPolicy policy,
                                       ProxySettings proxies, std::shared_ptr<TlsClientContext> proxy_tls) {
  return std::make_unique<GuardedDialer>(
      Guard{resolver, direct, std::move(policy), std::move(proxies), std::move(proxy_tls)});
}

}  // namespace towline::io
