#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "http/limits.h"

namespace towline::http {

/// What several connections have in use together. Safe from any thread.
struct Load {
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> large_heads{0};
  std::atomic<std::size_t> unsent{0};
};

/// Where a connection counts; null: nowhere.
struct Loads {
  std::shared_ptr<Load> host;
  std::shared_ptr<Load> address;

  bool unsent_is_full(const Limits& limits) const {
    return host != nullptr && host->unsent.load(std::memory_order_relaxed) > limits.host_unsent;
  }
};

/// The place of a connection's large head among those that are collected at once.
class LargeHead {
 public:
  explicit LargeHead(const Loads& loads) : loads_(loads) {}
  ~LargeHead() { leave(); }
  LargeHead(const LargeHead&) = delete;
  LargeHead& operator=(const LargeHead&) = delete;

  /// Takes a place, or keeps the one it has. False: there is none.
  bool enter(const Limits& limits);
  void leave();

 private:
  const Loads& loads_;
  bool entered_ = false;
};

/// A connection's part of the unsent bytes of its host.
class UnsentShare {
 public:
  explicit UnsentShare(const Loads& loads) : loads_(loads) {}
  ~UnsentShare() { set(0); }
  UnsentShare(const UnsentShare&) = delete;
  UnsentShare& operator=(const UnsentShare&) = delete;

  void set(std::size_t bytes) {
    if (bytes == bytes_ || loads_.host == nullptr) return;
    loads_.host->unsent.fetch_add(bytes - bytes_, std::memory_order_relaxed);  // modulo 2^64, as unsigned is
    bytes_ = bytes;
  }

 private:
  const Loads& loads_;
  std::size_t bytes_ = 0;
};

}  // namespace towline::http
