#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace towline {

/// An absolute URL taken apart. `host` is without brackets for IPv6, in lower case.
struct Url {
  std::string scheme;    // lower case, "https"
  std::string user;      // percent-decoded, empty when absent
  std::string password;  // percent-decoded, empty when absent; a secret
  std::string host;
  std::uint16_t port = 0;  // the one given, else the scheme's default, else 0
  bool port_given = false;
  std::string path;   // still encoded; "/" when empty
  std::string query;  // still encoded, without '?'

  /// "host:port", "[::1]:443"; the port is left out where it is the scheme's default and was not given.
  std::string authority() const;
  /// Path with query, as a request target.
  std::string target() const;
};

/// Parses scheme://[user[:password]@]host[:port][/path][?query] (RFC 3986). A fragment is dropped.
/// Default ports: 80 for http, ws and grpc, 443 for https, wss and grpcs.
Result<Url> parse_url(std::string_view text);

/// A text that is meant to be a URL, for people to read: "wss://***@host/" of "wss://user:secret@host/".
std::string without_credentials(std::string_view text);

/// Splits "host:port", ":8080", "[::1]:80". An empty host stays empty.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);

/// A peer's address: "192.0.2.1" of "192.0.2.1:443", "[::1]" of "[::1]:443"; and of itself.
std::string_view without_port(std::string_view peer);

}  // namespace towline
