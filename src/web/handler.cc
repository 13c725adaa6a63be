#include "web/handler.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/text.h"
#include "http/send_pieces.h"
#include "http/simple.h"
#include "http/strict_transport.h"

namespace towline::web {
namespace {

using http::Headers;

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

Headers safe_headers(std::string_view external_url) {
  Headers headers{{"content-security-policy", kPolicy},
                  {"x-content-type-options", "nosniff"},
                  {"referrer-policy", "same-origin"},
                  {"x-frame-options", "DENY"},
                  {"permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
                  {"cross-origin-opener-policy", "same-origin"}};
  if (const auto strict = http::strict_transport(external_url))
    headers.add("strict-transport-security", *strict);
  return headers;
}

// Calls `visit` with each member of a comma-separated list until it returns true, and returns whether it did.
bool any_member(std::string_view list, const std::function<bool(std::string_view)>& visit) {
  for (;;) {
    const auto comma = list.find(',');
    if (visit(trim(list.substr(0, comma)))) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

// "q=0" and "q=0.000" refuse (RFC 9110, 12.4.2).
bool refused(std::string_view parameters) {
  const auto at = parameters.find("q=");
  return at != std::string_view::npos && parameters.find_first_of("123456789", at) == std::string_view::npos;
}

bool accepts_gzip(const Headers& headers) {
  return any_member(headers.get("accept-encoding").value_or(""), [](std::string_view member) {
    const auto semicolon = std::min(member.find(';'), member.size());
    return trim(member.substr(0, semicolon)) == "gzip" && !refused(member.substr(semicolon));
  });
}

bool has_tag(const Headers& headers, std::string_view quoted) {
  return any_member(headers.get("if-none-match").value_or(""), [&](std::string_view member) {
    if (member.starts_with("W/")) member.remove_prefix(2);
    return member == "*" || member == quoted;
  });
}

void refuse(http::ServerExchange& exchange, const Headers& safe, int status, std::string_view message) {
  http::Response response = http::json_message(status, message);
  for (const Headers::Field field : safe) response.headers.add(field.name, field.value);
  if (status == 405) response.headers.add("allow", "GET, HEAD");
  http::send(exchange, response);
}

void answer(const http::RequestHead& request, const Asset& asset, const Headers& safe,
            std::unique_ptr<http::ServerExchange> exchange) {
  const bool zipped = !asset.gzip.empty() && accepts_gzip(request.headers);
  const std::string_view content = zipped ? asset.gzip : asset.content;
  const std::string tag = "\"" + std::string(asset.etag) + (zipped ? ".gz\"" : "\"");
  http::ResponseHead head{.headers = safe};
  head.headers.add("etag", tag);
  head.headers.add("cache-control", asset.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  if (!asset.gzip.empty()) head.headers.add("vary", "Accept-Encoding");
  if (has_tag(request.headers, tag)) {
    head.status = 304;
    return exchange->respond(head, true);
  }
  head.headers.add("content-type", asset.content_type);
  if (zipped) head.headers.add("content-encoding", "gzip");
  head.content_length = content.size();
  const bool bodiless = content.empty() || request.method == "HEAD";
  exchange->respond(head, bodiless);
  if (!bodiless) http::send_pieces(std::move(exchange), content);
}

class Handler final : public http::RequestHandler {
 public:
  Handler(std::span<const Asset> assets, std::string_view external_url) : safe_(safe_headers(external_url)) {
    for (const Asset& asset : assets) assets_.emplace(asset.path, &asset);
    index_ = assets_.at("/index.html");
  }

  void on_request(http::RequestHead head, bool, std::unique_ptr<http::ServerExchange> exchange) override {
    if (head.method != "GET" && head.method != "HEAD")
      return refuse(*exchange, safe_, 405, "405 Method Not Allowed");
    const auto found = assets_.find(head.path());
    if (found != assets_.end()) return answer(head, *found->second, safe_, std::move(exchange));
    if (is_page(head.path())) return answer(head, *index_, safe_, std::move(exchange));
    refuse(*exchange, safe_, 404, "404 Not Found");
  }

 private:
  const Headers safe_;
  std::map<std::string_view, const Asset*> assets_;
  const Asset* index_ = nullptr;
};

}  // namespace

bool is_page(std::string_view path) {
  if (path.starts_with("/assets/") || path == "/charts" || path.starts_with("/charts/") ||
      path.starts_with("/."))
    return false;
  const bool top = path.find('/', 1) == std::string_view::npos;
  return !top || path.find('.') == std::string_view::npos;
}

std::unique_ptr<http::RequestHandler> make_handler(std::span<const Asset> assets,
                                                   std::string_view external_url) {
  return std::make_unique<Handler>(assets, external_url);
}

}  // namespace towline::web
