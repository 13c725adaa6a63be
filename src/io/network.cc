#include "io/network.h"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <netinet/in.h>

#include "base/text.h"

namespace towline::io {
namespace {

std::string bytes_of(const in6_addr& address) {
  const char* const bytes = reinterpret_cast<const char*>(address.s6_addr);
  return IN6_IS_ADDR_V4MAPPED(&address) ? std::string(bytes + 12, 4) : std::string(bytes, 16);
}

}  // namespace

std::string address_bytes(const std::string& text) {
  if (text.find('\0') != std::string::npos) return {};
  std::array<char, 4> v4{};
  if (inet_pton(AF_INET, text.c_str(), v4.data()) == 1) return {v4.data(), v4.size()};
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) return bytes_of(v6);
  return {};
}

std::string address_bytes(const SocketAddress& address) {
  if (address.family() == AF_INET6) {
    return bytes_of(reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr);
  }
  if (address.family() != AF_INET) return {};
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr, bytes.size());
  return bytes;
}

bool Network::contains(std::string_view address) const {
  if (bytes.empty() || address.size() != bytes.size()) return false;
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (address.substr(0, whole) != std::string_view(bytes).substr(0, whole)) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const int mask = 0xff << (8 - rest);
  return ((address[whole] ^ bytes[whole]) & mask) == 0;
}

std::optional<Network> parse_network(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  Network network{.bytes = address_bytes(text.substr(0, slash))};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, network.bits);
  const int most = static_cast<int>(network.bytes.size()) * 8;
  if (error != std::errc() || stop != end || network.bytes.empty()) return std::nullopt;
  if (network.bits < 0 || network.bits > most) return std::nullopt;
  return network;
}

std::string plain_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return lower_case(host);
}

bool is_localhost(std::string_view name) { return name == "localhost" || name.ends_with(".localhost"); }

}  // namespace towline::io
