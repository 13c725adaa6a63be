#pragma once

#include <memory>
#include <string_view>

#include "http/exchange.h"

namespace towline::web {

/// Writes `content`, which outlives the exchange, as the body of an exchange that has been responded to, and
/// ends it. Only a piece at a time waits in memory for a reader that is slow.
void send_pieces(std::unique_ptr<http::ServerExchange> exchange, std::string_view content);

}  // namespace towline::web
