#include "io/pair.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "io/loop.h"

namespace towline::io {
namespace {

// One direction: a bounded buffer with its writer's and reader's ends.
struct Channel {
  std::string bytes;
  bool ended = false;   // the writer has shut down or is gone
  bool broken = false;  // the reader is gone
};

class PairEnd;

struct Shared {
  explicit Shared(Loop& l, std::size_t c) : loop(l), capacity(c) {}
  Loop& loop;
  std::size_t capacity;
  Channel to[2];  // to[i] is read by end i
  PairEnd* end[2] = {nullptr, nullptr};
};

class PairEnd final : public Stream {
 public:
  PairEnd(std::shared_ptr<Shared> shared, int side) : shared_(std::move(shared)), side_(side) {
    shared_->end[side_] = this;
  }
  ~PairEnd() override {
    shared_->end[side_] = nullptr;
    if (!in().bytes.empty()) out().broken = true;
    in().broken = true;
    out().ended = true;
    wake_peer();
  }
  PairEnd(const PairEnd&) = delete;
  PairEnd& operator=(const PairEnd&) = delete;

  void set_handler(StreamHandler* handler) override { handler_ = handler; }

  Transfer read(std::span<std::byte> buffer) override {
    if (in().bytes.empty()) {
      if (in().ended) return {Outcome::kEof};
      wants_read_ = true;
      return {Outcome::kWouldBlock};
    }
    const std::size_t n = std::min(buffer.size(), in().bytes.size());
    std::memcpy(buffer.data(), in().bytes.data(), n);
    in().bytes.erase(0, n);
    wake_peer();
    return {Outcome::kDone, n};
  }

  Transfer write(std::span<const iovec> pieces) override {
    if (out().broken) {
      error_ = Status(Code::kUnavailable, "connection reset by peer");
      return {Outcome::kError};
    }
    std::size_t taken = 0;
    bool all = true;
    for (const iovec& piece : pieces) {
      const std::size_t n = std::min(piece.iov_len, shared_->capacity - out().bytes.size());
      out().bytes.append(static_cast<const char*>(piece.iov_base), n);
      taken += n;
      if (n < piece.iov_len) {
        all = false;
        break;
      }
    }
    if (!all) wants_write_ = true;
    if (taken == 0 && !all) return {Outcome::kWouldBlock};
    wake_peer();
    return {Outcome::kDone, taken};
  }

  void shutdown_write() override {
    out().ended = true;
    wake_peer();
  }
  const Status& error() const override { return error_; }
  std::string_view peer() const override { return "memory"; }

 private:
  Channel& in() { return shared_->to[side_]; }
  Channel& out() { return shared_->to[1 - side_]; }

  void wake_peer() {
    shared_->loop.post([shared = shared_, side = 1 - side_] {
      if (PairEnd* end = shared->end[side]) end->notify();
    });
  }
  void notify() {
    const std::shared_ptr<Shared> alive = shared_;
    const int side = side_;
    if (wants_read_ && (!in().bytes.empty() || in().ended)) {
      wants_read_ = false;
      if (handler_ != nullptr) handler_->on_readable();
    }
    if (alive->end[side] != this) return;
    if (wants_write_ && (out().bytes.size() < shared_->capacity || out().broken)) {
      wants_write_ = false;
      if (handler_ != nullptr) handler_->on_writable();
    }
  }

  std::shared_ptr<Shared> shared_;
  int side_;
  StreamHandler* handler_ = nullptr;
  bool wants_read_ = false;
  bool wants_write_ = false;
  Status error_;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> stream_pair(Loop& loop, std::size_t capacity) {
  auto shared = std::make_shared<Shared>(loop, capacity);
  return {std::make_unique<PairEnd>(shared, 0), std::make_unique<PairEnd>(shared, 1)};
}

}  // namespace towline::io
