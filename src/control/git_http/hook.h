#pragma once

#include <string>

#include "base/status.h"

namespace towline::control::git_http {

/// Writes the hooks that every push runs into `folder` (for core.hooksPath). They keep protected branches:
/// the rules come in the environment variable TOWLINE_PROTECTED (domain/branches.h).
Status write_hooks(const std::string& folder);

}  // namespace towline::control::git_http
