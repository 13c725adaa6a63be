#include "kube/exec_credentials.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "io/loop.h"
#include "kube/credentials.h"

namespace towline::kube {
namespace {

using Answer = std::move_only_function<void(Result<Authorization>)>;

// A request that begins now should arrive with a credential that is still good.
constexpr std::chrono::seconds kExpiryMargin{10};
// A plugin may start an interpreter and ask a cloud; a cluster that refuses what it gives must not make each
// request do that.
constexpr std::chrono::seconds kMinInterval{5};

/// What the credentials and a run share; a run may outlive the credentials.
class ExecState : public std::enable_shared_from_this<ExecState> {
 public:
  ExecState(ExecPlugin plugin, std::unique_ptr<ExecCluster> cluster, std::unique_ptr<TlsSource> tls,
            io::WorkerPool& workers)
      : plugin_(std::move(plugin)), cluster_(std::move(cluster)), tls_(std::move(tls)), workers_(workers) {}

  void authorization(io::Loop& loop, Answer answer) {
    std::unique_lock lock(mutex_);
    if (!running_ && !due(loop)) {
      Result<Authorization> last = *last_;
      lock.unlock();
      return answer(std::move(last));
    }
    waiters_.push_back(Waiter{&loop, std::move(answer)});
    if (!running_) start(loop, lock);
  }

  void invalidate() {
    const std::lock_guard lock(mutex_);
    refused_ = true;
  }

  /// Ends a run and forgets who waits for it.
  void stop() {
    stop_.request_stop();
    std::vector<Waiter> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(waiters_);
  }

  Result<std::shared_ptr<io::TlsClientContext>> tls() { return tls_->get(); }

 private:
  struct Waiter {
    io::Loop* loop;
    Answer answer;
  };

  bool due(const io::Loop& loop) const {
    if (!last_) return true;
    const bool expires = expires_ && loop.clock().wall() >= *expires_ - kExpiryMargin;
    const bool stale = !last_->has_value() || refused_ || expires;
    return stale && loop.now() - started_ >= kMinInterval;
  }

  void start(io::Loop& loop, std::unique_lock<std::mutex>& lock) {
    running_ = true;
    started_ = loop.now();
    const auto self = shared_from_this();
    if (workers_.submit(
            loop, [self] { self->run(); }, [] {})) {
      return;
    }
    running_ = false;
    Waiter waiter = std::move(waiters_.back());
    waiters_.pop_back();
    lock.unlock();
    waiter.answer(fail(Code::kResourceExhausted, plugin_.where + ": exec: too much work is waiting"));
  }

  /// On a thread of the pool.
  void run() {
    Result<ExecCredential> credential = ask();
    if (credential && credential->identity) {
      const Status status = tls_->set_identity(std::move(*credential->identity));
      if (!status.ok()) credential = fail(Code::kUnauthenticated, status.message());
    }
    const std::lock_guard lock(mutex_);
    running_ = false;
    refused_ = false;
    expires_.reset();
    if (credential) {
      expires_ = credential->expires;
      const Secret& token = credential->token;
      last_ = Authorization{token.empty() ? Secret() : bearer_header(token)};
    } else {
      last_ = fail(credential.error());
    }
    // Under the lock, so that nobody is told after stop() has returned.
    for (Waiter& waiter : waiters_) {
      waiter.loop->post(
          [answer = std::move(waiter.answer), last = *last_]() mutable { answer(std::move(last)); });
    }
    waiters_.clear();
  }

  Result<ExecCredential> ask() {
    if (cluster_ != nullptr) {
      Result<std::string> ca = tls_->ca();
      if (!ca) return fail(ca.error());
      cluster_->ca = std::move(*ca);
    }
    Result<ExecCredential> credential = run_exec_plugin(plugin_, cluster_.get(), stop_.get_token());
    if (credential && !credential->token.empty()) {
      Result<Secret> token = clean_token(credential->token);
      if (!token)
        return fail(token.error().with_prefix(plugin_.where + ": exec " + plugin_.entry.command + ": token"));
      credential->token = std::move(*token);
    }
    return credential;
  }

  const ExecPlugin plugin_;
  const std::unique_ptr<ExecCluster> cluster_;  // only the run at hand uses it
  const std::unique_ptr<TlsSource> tls_;
  io::WorkerPool& workers_;
  std::stop_source stop_;

  std::mutex mutex_;
  std::vector<Waiter> waiters_;
  bool running_ = false;
  bool refused_ = false;  // the API has said 401 to what the last run gave
  Clock::TimePoint started_{};
  std::optional<Result<Authorization>> last_;
  std::optional<Clock::WallTime> expires_;
};

class ExecCredentials final : public Credentials {
 public:
  explicit ExecCredentials(std::shared_ptr<ExecState> state) : state_(std::move(state)) {}
  ~ExecCredentials() override { state_->stop(); }

  void authorization(io::Loop& loop, Answer answer) override {
    state_->authorization(loop, std::move(answer));
  }
  void invalidate() override { state_->invalidate(); }
  Result<std::shared_ptr<io::TlsClientContext>> tls() override { return state_->tls(); }

 private:
  const std::shared_ptr<ExecState> state_;
};

}  // namespace

std::shared_ptr<Credentials> exec_credentials(ExecPlugin plugin, std::unique_ptr<ExecCluster> cluster,
                                              std::unique_ptr<TlsSource> tls, io::WorkerPool& workers) {
  return std::make_shared<ExecCredentials>(
      std::make_shared<ExecState>(std::move(plugin), std::move(cluster), std::move(tls), workers));
}

}  // namespace towline::kube
