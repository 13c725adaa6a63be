#pragma once

#include <string_view>

#include "http/simple.h"

namespace towline::http {

/// An error of the HTTP layer's own, as a Kubernetes Status: kubectl prints its message, and so does whoever
/// reads "message" in JSON. 503 carries Retry-After.
Response error_response(int status, std::string_view message);

}  // namespace towline::http
