#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grpc/call.h"
#include "io/loop.h"
#include "tunnel/server/link.h"
#include "tunnel/server/registry.h"

namespace towline::tunnel {

/// The caller's end of a call through a tunnel. Lives on the caller's loop.
class RoutedCall final : public grpc::ClientCall {
 public:
  RoutedCall(io::Loop& loop, std::shared_ptr<Registry> registry, std::int64_t agent_id,
             std::string request_info, grpc::ClientCallHandler* handler);
  ~RoutedCall() override;
  RoutedCall(const RoutedCall&) = delete;
  RoutedCall& operator=(const RoutedCall&) = delete;

  /// Finds a tunnel, or waits for one.
  void start(const std::string& method, std::chrono::milliseconds wait);

  using ClientCall::send;
  void send(grpc::MessageParts parts) override;
  void half_close() override;
  void consume(std::size_t bytes) override;
  std::size_t unsent() const override;

  // From the registry and from tunnels.
  /// Gives `tunnel`, which is on the loop at hand or idle, to a call that waited for one; back to the
  /// registry when the call is gone.
  static void assign(const std::shared_ptr<Registry>& registry, std::shared_ptr<Link> link,
                     std::shared_ptr<ServerTunnel> tunnel);
  /// Ends a call, on its own loop.
  static void fail(Link& link, Status status);

  // From the tunnel's loop.
  static void deliver_metadata(Link& link, grpc::Metadata metadata);
  static void deliver_message(Link& link, grpc::MessageView message);
  static void deliver_sent(Link& link, std::size_t total);
  static void deliver_finish(Link& link, Status status, grpc::Metadata trailers);

 private:
  void use(std::shared_ptr<ServerTunnel> tunnel);
  void finish(Status status, grpc::Metadata trailers);
  void release();
  void send_now(grpc::MessageParts parts, std::size_t size);

  io::Loop& loop_;
  std::shared_ptr<Registry> registry_;
  std::shared_ptr<Link> link_;
  std::int64_t agent_id_;
  std::string request_info_;
  grpc::ClientCallHandler* handler_;
  io::Timer wait_;
  std::shared_ptr<ServerTunnel> tunnel_;
  std::vector<std::string> early_;  // messages given before there was a tunnel
  std::size_t early_bytes_ = 0;
  bool closed_early_ = false;
  bool counted_ = false;
  bool finished_ = false;
  std::size_t given_ = 0;  // bytes that crossed to another loop
  std::size_t left_ = 0;   // of these, have left there
};

}  // namespace towline::tunnel
