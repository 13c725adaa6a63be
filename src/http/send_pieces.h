#pragma once

#include <memory>
#include <string_view>

#include "http/budget.h"
#include "http/exchange.h"
#include "http/simple.h"

namespace towline::http {

/// Writes `content` as the body of an exchange that has been responded to, and ends it. Only a piece at a
/// time waits in the transport for a reader that is slow. `owner` keeps the content until then; null for what
/// outlives the exchange.
void send_pieces(std::unique_ptr<ServerExchange> exchange, std::string_view content,
                 std::shared_ptr<const void> owner = nullptr);

/// Answers the request with `head`: as send() while the body is small, else in pieces. The body is held once,
/// and `part`, which counts it, until it is sent or the reader gone.
void send(const RequestHead& head, std::unique_ptr<ServerExchange> exchange, Response response,
          Budget::Part part);

}  // namespace towline::http
