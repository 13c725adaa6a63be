#pragma once

#include <optional>
#include <string_view>

namespace towline::http {

/// The value of Strict-Transport-Security (RFC 6797) for a server that people reach by `external_url`. None
/// for plain HTTP, nor for localhost and bare addresses: what else runs there must stay reachable.
std::optional<std::string_view> strict_transport(std::string_view external_url);

}  // namespace towline::http
