#include "io/address.h"

#include <cstring>
#include <netdb.h>
#include <netinet/in.h>

namespace towline::io {

Result<SocketAddress> parse_address(const std::string& ip, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(ip.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) {
    return fail(Code::kInvalidArgument, "not an IP address: " + ip);
  }
  SocketAddress address;
  std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
  address.size = list->ai_addrlen;
  ::freeaddrinfo(list);
  return address;
}

std::optional<SocketAddress> literal_address(std::string host, std::uint16_t port) {
  if (host.find('\0') != std::string::npos) return std::nullopt;
  if (host.ends_with('.')) host.pop_back();
  auto address = parse_address(host, port);
  if (!address) return std::nullopt;
  return *address;
}

std::string ip_of(const SocketAddress& address) {
  char text[NI_MAXHOST];
  if (::getnameinfo(address.get(), address.size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0)
    return {};
  static constexpr char kMapped[] = "::ffff:";
  const bool mapped =
      std::strncmp(text, kMapped, sizeof kMapped - 1) == 0 && std::strchr(text, '.') != nullptr;
  return mapped ? text + sizeof kMapped - 1 : text;
}

std::uint16_t port_of(const SocketAddress& address) {
  if (address.family() == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(address.get())->sin_port);
  if (address.family() == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_port);
  return 0;
}

std::string join_host_port(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string to_string(const SocketAddress& address) {
  if (address.family() != AF_INET && address.family() != AF_INET6) return "local";
  return join_host_port(ip_of(address), port_of(address));
}

}  // namespace towline::io
