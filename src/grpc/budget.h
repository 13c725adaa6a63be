#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "base/status.h"

namespace towline::grpc {

/// Limit: bytes of unfinished messages that one connection has sent, of all its calls; over it the call at
/// hand ends with RESOURCE_EXHAUSTED. Enough for four thousand uploads at once that are each in the middle of
/// one.
inline constexpr std::size_t kMaxUnfinishedOfConnection = 64 * 1024 * 1024;
/// Limit: bytes of unfinished messages of all connections; over it kUnfinishedShare counts for each of them.
inline constexpr std::size_t kMaxUnfinished = 256 * 1024 * 1024;
/// Limit: bytes of unfinished messages that one connection has sent, while all have too many; over it the
/// call at hand ends with RESOURCE_EXHAUSTED, and those that hold less notice nothing.
inline constexpr std::size_t kUnfinishedShare = 1024 * 1024;
/// Limit: bytes that calls of a connection hold of which nobody has said who makes them; over it the call at
/// hand ends with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxStrangersBytes = 256 * 1024;
/// Limit: calls of a connection at once of which nobody has said who makes them; over it RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxStrangers = 50;

class ServerBudget;

/// What the calls of one connection hold. Lives on the connection's loop, as long as one of its calls.
class ConnectionBudget {
 public:
  ConnectionBudget(std::shared_ptr<ServerBudget> server, std::weak_ptr<const void> connection);
  ~ConnectionBudget();
  ConnectionBudget(const ConnectionBudget&) = delete;
  ConnectionBudget& operator=(const ConnectionBudget&) = delete;

  /// A call begins whose caller nobody knows yet. False: there are too many.
  bool enter_stranger();
  /// That call is over, or its caller has become known.
  void leave_stranger() { --strangers_; }
  /// The peer has proved who it is.
  void set_known() { known_ = true; }

  /// A call holds `now` bytes instead of `before`. RESOURCE_EXHAUSTED: it must end; the account is changed
  /// all the same.
  Status change(std::size_t before, std::size_t now);

 private:
  const std::shared_ptr<ServerBudget> server_;
  const std::weak_ptr<const void> connection_;
  std::size_t held_ = 0;
  std::size_t strangers_ = 0;
  bool known_ = false;
};

/// What the calls of all connections hold. Thread-safe.
class ServerBudget : public std::enable_shared_from_this<ServerBudget> {
 public:
  /// The account of a connection, which is named by what expires with it.
  std::shared_ptr<ConnectionBudget> of(const std::weak_ptr<const void>& connection);
  std::size_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  friend class ConnectionBudget;
  void forget(const std::weak_ptr<const void>& connection);

  std::mutex mutex_;
  std::map<std::weak_ptr<const void>, std::weak_ptr<ConnectionBudget>, std::owner_less<>> connections_;
  std::atomic<std::size_t> held_{0};
};

}  // namespace towline::grpc
