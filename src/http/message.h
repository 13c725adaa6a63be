#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace towline::http {

enum class Version { kHttp11, kHttp2 };

/// A request without its body. On HTTP/1.1 and HTTP/2 alike the Host field lives in `authority` and is not
/// in `headers`; hop-by-hop fields are not in `headers` either.
struct RequestHead {
  std::string method;     // "GET"
  std::string target;     // origin form, "/path?query", still encoded
  std::string scheme;     // "https" or "http"
  std::string authority;  // "example.com:8443"
  Headers headers;
  /// Set by a client of an HTTP/1.1 Upgrade, "websocket" or "SPDY/3.1"; such a request has no body. HTTP/2
  /// never sets it.
  std::string upgrade;
  /// Bytes of the body where known: 0 for none.
  std::optional<std::uint64_t> content_length;
  Version version = Version::kHttp11;

  std::string_view path() const {
    const std::string_view view = target;
    return view.substr(0, view.find('?'));
  }
  /// Without '?'; empty when there is none.
  std::string_view query() const {
    const std::string_view view = target;
    const auto at = view.find('?');
    return at == std::string_view::npos ? std::string_view{} : view.substr(at + 1);
  }
};

/// A response without its body.
struct ResponseHead {
  int status = 200;
  Headers headers;
  /// With status 101: the protocol that is switched to.
  std::string upgrade;
  std::optional<std::uint64_t> content_length;
};

/// "Not Found" for 404.
std::string_view reason_phrase(int status);

}  // namespace towline::http
