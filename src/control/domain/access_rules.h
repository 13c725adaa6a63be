#pragma once

#include <string>
#include <vector>

#include "control/config/configuration_file.h"
#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

/// What a configuration lists, by number, each once, and a warning for each entry that names nothing.
struct ResolvedAccess {
  std::vector<AccessRule> rules;
  std::vector<config::Fault> warnings;
};

/// Looks up the paths that the configuration of an agent of `project` lists, as they are now. Only what
/// stands below the project's own top-level namespace, and that itself, is found: whatever others make
/// elsewhere, nobody gets access by it.
ResolvedAccess resolve_access(soci::session& sql, const Project& project,
                              const std::vector<config::ListedEntry>& listed);

}  // namespace towline::control
