#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace towline::control {

/// INVALID_ARGUMENT unless `name` is an RFC 1123 label; the message says which rule it breaks.
Status check_agent_name(std::string_view name);

/// INVALID_ARGUMENT unless `path` may be one part of a project's or group's address.
Status check_path(std::string_view path);
/// As check_path, and not one that the server itself answers at.
Status check_top_level_path(std::string_view path);

/// A path made from a name: "My Project" becomes "my-project".
std::string path_from_name(std::string_view name);

}  // namespace towline::control
