#pragma once

#include <boost/json/object.hpp>

#include "control/api/respond.h"
#include "control/domain/agent_status.h"

namespace towline::control::api {

// Reading agents takes the developer role, changing them the maintainer role.
inline constexpr Role kReadAgents = Role::kDeveloper;
inline constexpr Role kChangeAgents = Role::kMaintainer;

/// The agent that the path names, with its project; see find_project.
struct FoundAgent {
  FoundProject in;
  AgentRecord agent;
};
Result<FoundAgent> find_agent(Context& context, Role needed);

boost::json::object render(const ConfigurationVerdict& verdict);
boost::json::object render(const AgentStatus& status, const AgentRecord& agent);

/// The commands that install an agent with this token, one a line of the text, for the page and the API.
boost::json::object installation(const Core& core, const AgentRecord& agent, const std::string& token);

std::span<const Route> configuration_file_routes();

}  // namespace towline::control::api
