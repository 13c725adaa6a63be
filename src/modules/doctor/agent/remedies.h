#pragma once

#include <string>

#include "base/status.h"
#include "base/url.h"

/// What to change, for each way in which a check can fail. Flags are named as agentk has them, with the
/// chart's value beside them.
namespace towline::doctor {

std::string remedy_for_dns(const Url& address);
std::string remedy_for_proxy();
/// A connection that failed: refused, silent, or refused by the proxy on the way.
std::string remedy_for_connection(const Status& why, const Url& address, bool proxied);
std::string remedy_for_tls(const Status& why, const Url& address);
/// A handshake that was answered by something else than 101.
std::string remedy_for_websocket(const Status& why, const Url& address);
std::string remedy_for_token(const Status& why);
std::string remedy_for_kubernetes(const Status& why);

}  // namespace towline::doctor
