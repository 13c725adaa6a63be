#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace towline::cli {

/// "group/name" of a Git remote that points at `server` (as server_url() gives it): https and http URLs with
/// the server's host, port and path, ssh:// and user@host:path ones with its host. The error says what
/// differs.
Result<std::string> project_of_remote(std::string_view remote, const std::string& server);

/// The URL of the remote `origin` of the Git checkout that the process runs in.
Result<std::string> origin_url();

/// "group/name" without slashes around it; fails for what cannot be a project's path.
Result<std::string> project_path(std::string_view text);

}  // namespace towline::cli
