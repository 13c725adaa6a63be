#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "base/url.h"
#include "http/headers.h"
#include "io/dial.h"
#include "io/http_proxy.h"
#include "modules/doctor/report.h"

namespace gitlab::agent::entity {
class AgentMeta;
}

namespace towline::doctor {

/// How the agent reaches its server, with what is wrong with its settings in place of those that cannot be
/// used. Borrowed things outlive the checks.
struct ServerSide {
  std::string address_text;  // as given, without credentials
  Result<Url> address;
  Result<io::ProxySettings> proxies;
  Result<std::shared_ptr<io::TlsClientContext>> tls;        // for the server; null where its scheme has none
  Result<std::shared_ptr<io::TlsClientContext>> proxy_tls;  // for a proxy with https://
  std::string tls_server_name;
  Result<http::Headers> headers;  // of --kas-header
  std::string user_agent;
  std::function<Result<Secret>()> token;
  std::string agent_version, pod_namespace, pod_name;
  io::Resolver* resolver = nullptr;
};

/// What the agent tells its server of itself.
::gitlab::agent::entity::AgentMeta agent_meta(const ServerSide& server);

/// Looks at address, DNS, proxy, TCP, TLS, WebSocket and token, each on the way to the next; after a failure
/// the rest is skipped. Hands over the checks from `loop`, once, never from inside. Opens connections of its
/// own, and at most one at a time.
using Checked = std::move_only_function<void(std::vector<Check> checks)>;
[[nodiscard]] std::unique_ptr<io::Operation> check_server(io::Loop& loop, const ServerSide& server,
                                                          Checked done);

}  // namespace towline::doctor
