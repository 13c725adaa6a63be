#pragma once

#include <cstdint>
#include <string>

#include "base/secret.h"
#include "base/status.h"
#include "http/message.h"

namespace towline::kubernetes_api {

/// What a proxied request proves itself with: `Authorization: Bearer pat:<agent id>:<token>`.
struct ProxyCredential {
  std::int64_t agent_id = 0;
  Secret token;
};

/// Finds the credential in a request and removes it, with everything else that is meant for the server and
/// not for the cluster. UNAUTHENTICATED with a message that says what was expected.
Result<ProxyCredential> take_credential(http::RequestHead& head);

/// Parses the value of an Authorization header.
Result<ProxyCredential> parse_credential(std::string_view authorization);

}  // namespace towline::kubernetes_api
