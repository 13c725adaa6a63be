#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/address.h"

namespace towline::io {

/// The bytes of an address in network order, 4 or 16; those of the IPv4 address where one is mapped into IPv6
/// (::ffff:192.0.2.1). Empty for what is no address in the usual notation.
std::string address_bytes(const std::string& text);
std::string address_bytes(const SocketAddress& address);

/// A block of addresses, 10.0.0.0/8.
struct Network {
  std::string bytes;  // as address_bytes() gives them; empty: no address is in it
  int bits = 0;       // how many of them, from the first on, an address has in common with it

  /// `address` is as address_bytes() gives it; the empty one is in no network.
  bool contains(std::string_view address) const;
};

/// "10.0.0.0/8" or "2001:db8::/32".
std::optional<Network> parse_network(const std::string& text);

/// A host's name as it is compared: in lower case, and without the dot that only says that it is complete.
std::string plain_name(std::string_view host);

/// Whether a name means this machine (RFC 6761, section 6.3). `name` is as plain_name() gives it.
bool is_localhost(std::string_view name);

}  // namespace towline::io
