#pragma once

#include "agentk/flags.h"
#include "modules/doctor/agent/server_checks.h"
#include "tunnel/agent/connector.h"

namespace towline::agentk {

/// What flags and environment say of the way to the server, faults included. `resolver` outlives it.
doctor::ServerSide server_side(const Flags& flags, io::Resolver& resolver);

/// The same for the connector; the first fault otherwise.
Result<tunnel::ConnectorOptions> connector_options(const doctor::ServerSide& server);

}  // namespace towline::agentk
