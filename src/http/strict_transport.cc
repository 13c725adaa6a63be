#include "http/strict_transport.h"

#include "base/url.h"

namespace towline::http {

std::optional<std::string_view> strict_transport(std::string_view external_url) {
  const auto url = parse_url(external_url);
  if (!url || url->scheme != "https") return std::nullopt;
  const bool is_address = url->host.find(':') != std::string::npos ||
                          url->host.find_first_not_of("0123456789.") == std::string::npos;
  if (is_address || url->host == "localhost" || url->host.ends_with(".localhost")) return std::nullopt;
  return "max-age=31536000";
}

}  // namespace towline::http
