#include "base/url.h"

#include <algorithm>
#include <charconv>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/text.h"

namespace towline {
namespace {

std::uint16_t default_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws" || scheme == "grpc") return 80;
  if (scheme == "https" || scheme == "wss" || scheme == "grpcs") return 443;
  return 0;
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

std::string Url::authority() const {
  if (!port_given) return bracketed(host);
  return bracketed(host) + ":" + std::to_string(port);
}

std::string Url::target() const { return query.empty() ? path : path + "?" + query; }

Result<Url> parse_url(std::string_view text) {
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  // The text may hold a password, so the message does not repeat it.
  if (!parsed) return fail(Code::kInvalidArgument, "not a URL: " + parsed.error().message());
  const boost::urls::url_view& view = *parsed;
  if (!view.has_authority() || view.encoded_host().empty()) {
    return fail(Code::kInvalidArgument, "not a URL: no host");
  }
  Url url;
  url.scheme = lower_case({view.scheme().data(), view.scheme().size()});
  url.user = std::string(view.user());
  url.password = std::string(view.password());
  url.host = lower_case(view.host_address());
  url.port = default_port(url.scheme);
  if (view.has_port() && !view.port().empty()) {
    const std::string_view digits(view.port().data(), view.port().size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size() || url.port == 0) {
      return fail(Code::kInvalidArgument, "not a URL: port must be 1 to 65535");
    }
    url.port_given = true;
  }
  url.path = std::string(view.encoded_path().data(), view.encoded_path().size());
  if (url.path.empty()) url.path = "/";
  url.query = std::string(view.encoded_query().data(), view.encoded_query().size());
  return url;
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "address \"" + std::string(text) + "\": " + std::string(why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  HostPort result;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc() || end != port.data() + port.size()) return bad("port must be 0 to 65535");
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address needs brackets");
  }
  result.host = std::string(host);
  return result;
}

std::string_view without_port(std::string_view peer) {
  return peer.ends_with(']') ? peer : peer.substr(0, peer.rfind(':'));
}

}  // namespace towline
