#include "modules/registrar/server/registrar.h"

#include <utility>

#include "grpc/server.h"
#include "proto/agent_registrar.pb.h"

namespace towline::registrar {
namespace {

namespace rpc = ::gitlab::agent::agent_registrar::rpc;

// Register and Unregister have the same fields, and both are a sign of life.
grpc::CallHandler sign_of_life(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return grpc::unary([&backend, &authenticator](std::string bytes, const grpc::Metadata& metadata,
                                                io::Loop& loop, grpc::UnaryReply reply) {
    rpc::RegisterRequest request;
    if (!request.ParseFromString(bytes)) return reply(fail(Code::kInvalidArgument, "malformed request"));
    authenticator.authenticate(loop, metadata,
                               [&backend, request = std::move(request),
                                reply = std::move(reply)](Result<control::AuthenticatedAgent> agent) mutable {
                                 if (!agent) return reply(fail(std::move(agent.error())));
                                 const auto& meta = request.agent_meta();
                                 backend.agent_seen({.agent_id = agent->agent.id,
                                                     .token_id = agent->token_id,
                                                     .version = meta.version(),
                                                     .commit_id = meta.commit_id(),
                                                     .pod_namespace = meta.pod_namespace(),
                                                     .pod_name = meta.pod_name()});
                                 reply(std::string());
                               });
  });
}

}  // namespace

grpc::CallHandler register_handler(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return sign_of_life(backend, authenticator);
}

grpc::CallHandler unregister_handler(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return sign_of_life(backend, authenticator);
}

}  // namespace towline::registrar
