#pragma once

#include "control/agent_authenticator.h"
#include "control/backend.h"
#include "grpc/call.h"

namespace towline::registrar {

/// AgentRegistrar/Register: a pod of an agent says that it is there. Both outlive the handlers.
grpc::CallHandler register_handler(control::Backend& backend, control::AgentAuthenticator& authenticator);

/// AgentRegistrar/Unregister: a pod of an agent is stopping.
grpc::CallHandler unregister_handler(control::Backend& backend, control::AgentAuthenticator& authenticator);

}  // namespace towline::registrar
