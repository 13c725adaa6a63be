#pragma once

#include "base/status.h"
#include "control/api/router.h"
#include "control/git/repository.h"

namespace towline::control::api {

/// branch, start_branch, commit_message, author_name and author_email of a request that commits, without
/// changes.
git::CommitRequest read_commit(Context& context);
/// content and encoding; notes in `params` what is wrong with them.
std::string read_content(Params& params);

}  // namespace towline::control::api
