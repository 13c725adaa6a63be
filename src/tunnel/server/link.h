#pragma once

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

  void cross(io::Loop& from, io::Loop& to, Batch& batch, io::Task task) {
    const bool first = batch.empty();
    batch.push_back(std::move(task));
    if (!first) return;
    from.defer([self = shared_from_this(), &to, &batch] {
      to.post([tasks = std::exchange(batch, {})]() mutable {
        for (io::Task& each : tasks) each();
      });
    });
  }

  io::Loop& caller_loop_;
  io::Loop* tunnel_loop_ = nullptr;
  Batch to_tunnel_;  // on the caller's loop
  Batch to_caller_;  // on the tunnel's loop
};

}  // namespace towline::tunnel
