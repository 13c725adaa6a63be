#pragma once

#include <curl/curl.h>
#include <string>

#include "cli/settings.h"

namespace towline::cli {

/// Why libcurl got no answer, in words that say what helps. kUnavailable is for what may pass by itself.
Status curl_error(CURLcode code, CURL* curl, const std::string& problem, const Login& login);

}  // namespace towline::cli
