#include <atomic>
#include <memory>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "io/loop.h"

namespace towline::io {

struct WorkerPool::Impl {
  // Enough to absorb a burst; beyond it callers are better told than kept waiting.
  static constexpr std::size_t kMaxQueued = 1024;

  explicit Impl(std::size_t threads) : pool(threads) {}
  std::atomic<std::size_t> queued{0};
  std::atomic<bool> stopping{false};
  boost::asio::thread_pool pool;
};

WorkerPool::WorkerPool(std::size_t threads) : impl_(std::make_unique<Impl>(threads)) {}

WorkerPool::~WorkerPool() {
  impl_->stopping = true;
  impl_->pool.stop();
  impl_->pool.join();
}

bool WorkerPool::submit(Loop& loop, Task work, Task done) {
  if (impl_->queued.fetch_add(1) >= Impl::kMaxQueued) {
    impl_->queued.fetch_sub(1);
    return false;
  }
  boost::asio::post(impl_->pool,
                    [impl = impl_.get(), &loop, work = std::move(work), done = std::move(done)]() mutable {
                      if (!impl->stopping) work();
                      impl->queued.fetch_sub(1);
                      loop.post(std::move(done));
                    });
  return true;
}

}  // namespace towline::io
