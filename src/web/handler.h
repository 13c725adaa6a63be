#pragma once

#include <memory>
#include <span>

#include "http/exchange.h"
#include "web/asset.h"

namespace towline::web {

/// Serves the web page: `assets` by their paths, and /index.html, which must be among them, for every other
/// path that the page itself may understand (see is_page). Each answer carries headers that allow no other
/// host, no inline script or style and no frame. People reach it by `external_url`: where that is
/// https, browsers are told to use nothing else. `assets` outlive the handler.
std::unique_ptr<http::RequestHandler> make_handler(std::span<const Asset> assets,
                                                   std::string_view external_url = {});

/// True for the address of a view of the page, false for that of a file: below /assets/ or /charts, hidden,
/// or a name with an extension at the top, such as /favicon.ico, where no project can be.
bool is_page(std::string_view path);

}  // namespace towline::web
