#pragma once

#include <cstdint>

#include "base/status.h"
#include "control/domain/core.h"

namespace towline::control {

/// Whether the repository of a project may take `bytes` more: RESOURCE_EXHAUSTED when its top-level namespace
/// has what it may have, UNAVAILABLE while the disk is nearly full. What is allowed counts as taken. Blocks.
Status take_storage(Core& core, const Project& project, std::uint64_t bytes);

}  // namespace towline::control
