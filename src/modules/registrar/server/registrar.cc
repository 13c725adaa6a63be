#include "modules/registrar/server/registrar.h"

#include <utility>

#include "grpc/server.h"
#include "proto/agent_registrar.pb.h"

namespace towline::registrar {
namespace {

namespace rpc = ::gitlab::agent::agent_registrar::rpc;

// Register and Unregister have the same fields, and both are uses of the token. That a pod is there, and
// since when, the configuration's call says, which stays open.
grpc::CallHandler use_of_token(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return grpc::unary([&backend, &authenticator](std::string bytes, const grpc::Metadata& metadata,
                                                io::Loop& loop, grpc::UnaryReply reply) {
    rpc::RegisterRequest request;
    if (!request.ParseFromString(bytes)) return reply(fail(Code::kInvalidArgument, "malformed request"));
    authenticator.authenticate(loop, metadata, [&backend, reply = std::move(reply)](auto agent) mutable {
      if (!agent) return reply(fail(std::move(agent.error())));
      backend.agent_seen({.agent_id = agent->agent.id, .token_id = agent->token_id});
      reply(std::string());
    });
  });
}

}  // namespace

grpc::CallHandler register_handler(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return use_of_token(backend, authenticator);
}

grpc::CallHandler unregister_handler(control::Backend& backend, control::AgentAuthenticator& authenticator) {
  return use_of_token(backend, authenticator);
}

}  // namespace towline::registrar
