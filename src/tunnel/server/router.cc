#include "tunnel/server/router.h"

#include <utility>

#include "tunnel/server/registry.h"
#include "tunnel/server/routed_call.h"
#include "tunnel/server/server_tunnel.h"
#include "tunnel/wire.h"

namespace towline::tunnel {
namespace {

class RouterImpl final : public Router {
 public:
  RouterImpl(RouterOptions options, Authenticate authenticate, Logger log)
      : options_(options),
        authenticate_(std::move(authenticate)),
        log_(std::move(log)),
        registry_(std::make_shared<Registry>(options)) {}

  grpc::CallHandler connect_handler() override {
    return
        [this](grpc::IncomingCall call) { ServerTunnel::accept(registry_, authenticate_, std::move(call)); };
  }

  std::unique_ptr<grpc::ClientCall> call(io::Loop& loop, std::int64_t agent_id, const std::string& method,
                                         const grpc::Metadata& metadata,
                                         grpc::ClientCallHandler* handler) override {
    rpc::ConnectResponse info;
    info.mutable_request_info()->set_method_name(method);
    to_map(metadata, *info.mutable_request_info()->mutable_meta());
    auto call = std::make_unique<RoutedCall>(loop, registry_, agent_id, info.SerializeAsString(), handler);
    call->start(method, options_.wait);
    return call;
  }

  void disconnect(std::int64_t agent_id, std::int64_t token_id) override {
    for (const auto& tunnel : registry_->tunnels_of(agent_id, token_id)) {
      tunnel->loop().post(
          [tunnel] { tunnel->terminate(Status(Code::kUnauthenticated, "the agent's token was revoked")); });
    }
  }

  Counts counts() const override { return registry_->counts(); }
  bool connected(std::int64_t agent_id) const override { return registry_->connected(agent_id); }

 private:
  RouterOptions options_;
  Authenticate authenticate_;
  Logger log_;
  std::shared_ptr<Registry> registry_;
};

}  // namespace

std::shared_ptr<Router> Router::create(RouterOptions options, Authenticate authenticate, Logger log) {
  return std::make_shared<RouterImpl>(options, std::move(authenticate), std::move(log));
}

}  // namespace towline::tunnel
