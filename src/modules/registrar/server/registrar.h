#pragma once

#include <cstddef>

#include "control/agent_authenticator.h"
#include "control/backend.h"
#include "grpc/call.h"

namespace towline::registrar {

/// Limit: the request of Register and Unregister in bytes; over it RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxRequest = 64 * 1024;

/// AgentRegistrar/Register and Unregister: a pod of an agent says that it is there, or is stopping. Its
/// caller is authenticated when the call opens; to be added as guarded and with messages of kMaxRequest. Both
/// references outlive the handler.
grpc::CallHandler handler(control::Backend& backend, control::AgentAuthenticator& authenticator);

}  // namespace towline::registrar
