#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace towline::kubernetes_api {

/// The first message of a call to the agent (grpctool.HttpRequest with its header), from a request whose
/// credential has been taken out. `prefix`: of the path, not the cluster's; `extra`: CachedAccess::extra.
/// Fields by which only servers speak (X-Forwarded-*, X-Remote-*) stay here.
std::string request_header(http::RequestHead& head, bool has_body, std::string_view prefix,
                           const std::string& extra);

}  // namespace towline::kubernetes_api
