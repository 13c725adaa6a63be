#pragma once

#include <string>

#include "base/status.h"

namespace towline::control::git_http {

/// Where the hooks of a push find the socket that leads to this program.
inline constexpr int kHookDescriptor = 3;

/// Writes the hooks that every push runs into `folder` (for core.hooksPath), which must be absolute: Git
/// looks for a relative one within the repository. They decide nothing. Each joins its input and output with
/// the socket, at whose other end is a PushDialogue; where that does not answer, Git changes nothing.
Status write_hooks(const std::string& folder);

}  // namespace towline::control::git_http
