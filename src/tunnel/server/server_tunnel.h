#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "grpc/call.h"
#include "io/loop.h"
#include "tunnel/server/registry.h"
#include "tunnel/wire.h"

namespace towline::tunnel {

/// One Connect stream, seen from the server. Lives on the loop of its connection; only owner(), loop() and
/// connection() may be used from elsewhere, and place() by the registry under its lock. Keeps itself until
/// the stream is over.
///
/// It is entered in the registry as soon as it is known whose it is, so that a revocation finds it, and
/// offered when its descriptor is there as well.
class ServerTunnel final : public grpc::ServerCallHandler, public std::enable_shared_from_this<ServerTunnel> {
 public:
  static void accept(std::shared_ptr<Registry> registry, const Router::Authenticate& authenticate,
                     grpc::IncomingCall call);

  ServerTunnel(std::shared_ptr<Registry> registry, std::unique_ptr<grpc::ServerCall> call);

  const TunnelOwner& owner() const { return owner_; }
  io::Loop& loop() const { return loop_; }
  std::weak_ptr<const void> connection() const { return connection_; }
  Registry::Place& place() { return place_; }

  // What the caller's end asks for.
  /// Begins a routed call; answers it with ABORTED when the stream is over already.
  void begin(const std::shared_ptr<Link>& link, const std::string& request_info);
  void send(grpc::MessageParts parts);
  void close_send();
  void consume(std::size_t bytes) {
    if (call_) call_->consume(bytes);
  }
  std::size_t unsent() const { return call_ ? call_->unsent() : 0; }
  /// The caller is gone.
  void cancel();
  /// Ends the stream, and the call that runs through it, with `why`.
  void terminate(const Status& why);

  void on_message(grpc::MessageView message) override;
  void on_half_close() override;
  void on_sent(std::size_t bytes) override;
  void on_cancelled(Status why) override;

 private:
  void authenticated(Result<TunnelOwner> owner);
  void take_descriptor(const rpc::ConnectRequest& request);
  void offer();
  void take_answer(const rpc::ConnectRequest& request);
  void call_over();
  void answer_caller(Status status, grpc::Metadata trailers);
  void expired();
  /// Ends the stream; the last thing that happens. With bytes that the agent does not take it is reset: the
  /// status would wait behind them.
  void close(const Status& to_agent);

  std::shared_ptr<Registry> registry_;
  io::Loop& loop_;
  std::unique_ptr<grpc::ServerCall> call_;
  const std::weak_ptr<const void> connection_;
  std::shared_ptr<ServerTunnel> keep_;
  TunnelOwner owner_;
  Registry::Place place_;
  std::optional<Methods> described_;
  std::optional<io::Timer> deadline_;  // for the descriptor, and then for the end of a call that is over
  bool authenticated_ = false;
  bool offered_ = false;
  bool half_closed_ = false;

  std::shared_ptr<Link> link_;  // of the call under way
  bool taken_ = false;          // a call has begun; a stream carries one
  bool agent_answered_ = false;
  std::optional<grpc::Metadata> trailers_;
  std::optional<Status> error_;
  std::size_t accepted_ = 0;  // bytes taken from a caller on another loop
  std::size_t reported_ = 0;  // of these, told to have left
};

}  // namespace towline::tunnel
