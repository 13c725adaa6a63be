#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "http/exchange.h"

namespace towline::kubernetes_api {

/// An error of the server itself, told apart from the cluster's: the message begins with "kas: " and names
/// the hop.
struct ProxyError {
  int http_status = 500;
  std::string message;
  int retry_after_seconds = 0;  // 0: no Retry-After
};

/// What to answer for a call that failed before the cluster answered.
ProxyError error_for(const Status& status);

/// The same for what the tunnel or the agent says: what is too much for the agent or the cluster's API is no
/// reason to ask again, and an agent's refusals are not this server's.
ProxyError error_for_call(const Status& status);

/// Answers with a Kubernetes Status object (meta/v1); 401 also gets `Gitlab-Unauthorized: true`.
void reply(http::ServerExchange& exchange, const ProxyError& error);

/// The object itself, as JSON.
std::string status_json(const ProxyError& error);

}  // namespace towline::kubernetes_api
