#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "io/loop.h"

namespace towline::tunnel {

class RoutedCall;
class ServerTunnel;

/// Joins the two ends of a routed call, which may live on different loops. Each end's pointer is read and
/// written on its own loop only; each end clears its own when it goes.
class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(io::Loop& caller_loop) : caller_loop_(caller_loop) {}

  RoutedCall* caller = nullptr;    // on the caller's loop
  ServerTunnel* tunnel = nullptr;  // on the tunnel's loop
  std::uint64_t ticket = 0;        // of a caller that waits; the registry's

  io::Loop& caller_loop() { return caller_loop_; }
  io::Loop& tunnel_loop() { return *tunnel_loop_; }
  /// Before the first to_tunnel().
  void set_tunnel_loop(io::Loop& loop) { tunnel_loop_ = &loop; }
  bool same_loop() const { return &caller_loop_ == tunnel_loop_; }

  /// Runs `task` on the tunnel's loop; from the caller's loop. What is given in one turn of the loop crosses
  /// together.
  void to_tunnel(io::Task task) { cross(caller_loop_, *tunnel_loop_, to_tunnel_, std::move(task)); }
  /// Runs `task` on the caller's loop; from the tunnel's loop.
  void to_caller(io::Task task) { cross(*tunnel_loop_, caller_loop_, to_caller_, std::move(task)); }

 private:
  using Batch = std::vector<io::Task>;

  /// Takes a batch across at the end of the turn that began it. Tasks hold their link, and the link holds its
  /// batches: when the loop ends before that, the crossing drops its batch, or the ring would keep itself.
  class Crossing {
   public:
    Crossing(std::shared_ptr<Link> link, Batch& batch, io::Loop& to)
        : link_(std::move(link)), batch_(&batch), to_(&to) {}
    Crossing(Crossing&&) = default;
    ~Crossing() {
      if (link_) const Batch dropped = std::exchange(*batch_, {});
    }

    void operator()() {
      const auto link = std::move(link_);
      to_->post([tasks = std::exchange(*batch_, {})]() mutable {
        for (io::Task& each : tasks) each();
      });
    }

   private:
    std::shared_ptr<Link> link_;  // null once moved from, or run
    Batch* batch_;                // of *link_
    io::Loop* to_;
  };

  void cross(io::Loop& from, io::Loop& to, Batch& batch, io::Task task) {
    const bool first = batch.empty();
    batch.push_back(std::move(task));
    if (first) from.defer(Crossing(shared_from_this(), batch, to));
  }

  io::Loop& caller_loop_;
  io::Loop* tunnel_loop_ = nullptr;
  Batch to_tunnel_;  // on the caller's loop
  Batch to_caller_;  // on the tunnel's loop
};

}  // namespace towline::tunnel
