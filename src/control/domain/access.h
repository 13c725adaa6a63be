#pragma once

#include "base/status.h"
#include "control/backend.h"
#include "control/domain/accounts.h"
#include "control/domain/configurations.h"

namespace soci {
class session;
}

namespace towline::control {

/// What one who may not learn whether the agent exists is told, if it does and if it does not.
Status no_such_access(std::int64_t agent_id);

/// May this person use the agent, and as whom, by `user_access` of the configuration in force? By its rules,
/// which are numbers: paths are not looked at. In a listed group, a role in anything below it counts.
/// PERMISSION_DENIED says what is missing to those who have a role in the agent's project, and no_such_access
/// to everybody else.
Result<Access> authorize_person(soci::session& sql, const Caller& caller,
                                const CurrentConfiguration& current);

}  // namespace towline::control
