#include "base/url.h"

#include <algorithm>
#include <charconv>
#include <optional>

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

// Digits alone, 0 to 65535.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// The port that stands in a URL; 0: none does. Boost.URL takes "http://a:12x" for a port with a path behind.
Result<std::uint16_t> port_in(std::string_view url) {
  std::string_view authority = url.substr(url.find("://") + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const auto user_end = authority.rfind('@');
  if (user_end != std::string_view::npos) authority.remove_prefix(user_end + 1);
  const auto host_end = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
  const std::string_view rest = authority.substr(std::min(host_end, authority.size()));
  if (rest.empty()) return std::uint16_t{0};
  const std::optional<std::uint16_t> port = rest.starts_with(':') ? parse_port(rest.substr(1)) : std::nullopt;
  if (!port || *port == 0) return fail(Code::kInvalidArgument, "not a URL: port must be 1 to 65535");
  return *port;
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
  const Result<std::uint16_t> port = port_in(text);
  if (!port) return fail(port.error());
  url.port_given = *port != 0;
  if (url.port_given) url.port = *port;
  url.path = std::string(view.encoded_path().data(), view.encoded_path().size());
  if (url.path.empty()) url.path = "/";
  url.query = std::string(view.encoded_query().data(), view.encoded_query().size());
  return url;
}

std::string without_credentials(std::string_view text) {
  const auto scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view authority = text.substr(begin, text.find_first_of("/?#", begin) - begin);
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return std::string(text);
  return std::string(text.substr(0, begin)) + "***" + std::string(text.substr(begin + at));
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
  const std::optional<std::uint16_t> number = parse_port(port);
  if (!number) return bad("port must be 0 to 65535");
  result.port = *number;
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
