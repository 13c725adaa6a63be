#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/git_http/gate.h"

namespace towline::control::git_http {

/// All that `git http-backend` is told: the request by CGI's variables (RFC 3875), and Git's configuration,
/// in which neither the machine nor the repository has a say. `hooks` is the folder of write_hooks().
std::vector<std::string> environment(const Core& core, const std::string& hooks, const Operation& operation,
                                     const Permit& permit, const http::RequestHead& head,
                                     std::string_view peer);

}  // namespace towline::control::git_http
