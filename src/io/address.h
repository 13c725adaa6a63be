#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/socket.h>

#include "base/status.h"

namespace towline::io {

/// An IP address and port as the system calls take it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// From a literal, "192.0.2.1", "2001:db8::1" or "fe80::1%eth0"; names are not looked up.
Result<SocketAddress> parse_address(const std::string& ip, std::uint16_t port);

/// The address that a host is by itself, in any notation that parse_address() and the system's resolver take
/// for one ("127.1", "0x7f000001"), with or without a dot at its end. Nothing for a name.
std::optional<SocketAddress> literal_address(std::string host, std::uint16_t port);

/// "192.0.2.1" or "2001:db8::1". An IPv4 address inside IPv6 (::ffff:192.0.2.1) is given as IPv4.
std::string ip_of(const SocketAddress& address);
std::uint16_t port_of(const SocketAddress& address);

/// "192.0.2.1:443", "[2001:db8::1]:443", "kas.example.com:443".
std::string join_host_port(const std::string& host, std::uint16_t port);
std::string to_string(const SocketAddress& address);

}  // namespace towline::io
