#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/address.h"
#include "io/network.h"

namespace towline::io {

/// The flag by which an operator allows what the policy refuses; errors tell of it.
inline constexpr std::string_view kAllowFlag = "--outbound-allow";

/// Where a program may connect when the one who named the host is a user: to public addresses, and to what
/// the operator's list allows. All others lead into the program's own machine, network or cloud, where a user
/// has no business: the ranges of IANA's special-purpose registries, multicast, and whatever of IPv6 is not
/// global unicast. An IPv6 address that carries an IPv4 address is judged by both. Values.
class AddressPolicy {
 public:
  AddressPolicy() = default;  // nothing but public addresses
  /// Entries are addresses ("10.1.2.3", "fd00::1"), networks ("10.0.0.0/8"), names ("agent.example.com") and
  /// all names below one (".example.com"), each with a port, "10.1.2.3:443", or for all of them. An IPv6
  /// address with a port is written in brackets. A name allows every address that it resolves to.
  /// INVALID_ARGUMENT naming the entry.
  static Result<AddressPolicy> parse(const std::vector<std::string>& entries);

  /// Judges a host before its name is looked up: a literal address by itself, and the names of this machine.
  /// Any other name passes, since only the addresses that it has when it is dialled count. PERMISSION_DENIED;
  /// INVALID_ARGUMENT for what is neither address nor name.
  Status check_host(std::string_view host, std::uint16_t port) const;
  /// Judges an address with port, which `host` stands for now. PERMISSION_DENIED saying what the address is
  /// and how to allow it.
  Status check_address(std::string_view host, const SocketAddress& address) const;

 private:
  struct Entry {
    Network network;  // empty for a name
    std::string name;
    bool below = false;      // the names below `name`, not itself
    std::uint16_t port = 0;  // 0: any
  };

  static Result<Entry> parse_entry(std::string_view text);
  bool allows_name(const std::string& name, std::uint16_t port) const;
  bool allows_address(std::string_view bytes, std::uint16_t port) const;

  std::vector<Entry> entries_;
};

}  // namespace towline::io
