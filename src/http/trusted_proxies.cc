#include "http/trusted_proxies.h"

#include <algorithm>
#include <utility>

#include "io/address.h"

namespace towline::http {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The address in "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" and "[2001:db8::1]:80".
std::string_view host_of(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    return end == std::string_view::npos ? std::string_view{} : text.substr(1, end - 1);
  }
  const auto colon = text.find(':');
  return colon == text.rfind(':') ? text.substr(0, colon) : text;
}

struct Address {
  std::string bytes;
  std::string text;
};

std::optional<Address> address_of(std::string_view entry) {
  const std::string host(host_of(entry));
  Address found{.bytes = io::address_bytes(host)};
  if (found.bytes.empty()) return std::nullopt;
  found.text = io::ip_of(io::parse_address(host, 0).value());
  if (found.bytes.size() > 4) found.text = "[" + found.text + "]";
  return found;
}

}  // namespace

std::string peer_bytes(std::string_view peer) { return io::address_bytes(std::string(host_of(peer))); }

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const std::string& text : networks) {
    auto network = io::parse_network(text);
    if (!network) {
      std::string bytes = io::address_bytes(text);
      if (bytes.empty()) {
        return fail(Code::kInvalidArgument,
                    "\"" + text + "\" is neither an address (192.0.2.1) nor a network (10.0.0.0/8)");
      }
      const int bits = static_cast<int>(bytes.size()) * 8;
      network = io::Network{.bytes = std::move(bytes), .bits = bits};
    }
    proxies.networks_.push_back(std::move(*network));
  }
  return proxies;
}

bool TrustedProxies::trusts(std::string_view bytes) const {
  return std::ranges::any_of(networks_, [&](const io::Network& network) { return network.contains(bytes); });
}

bool TrustedProxies::has(std::string_view peer) const { return trusts(peer_bytes(peer)); }

std::optional<std::string> TrustedProxies::client_of(std::string_view peer, const Headers& headers) const {
  if (networks_.empty() || !has(peer)) return std::nullopt;
  std::optional<std::string> client;
  for (std::size_t i = headers.size(); i-- > 0;) {
    const auto [name, value] = headers.at(i);
    if (name != "x-forwarded-for") continue;
    for (std::string_view rest = value;;) {
      const auto comma = rest.rfind(',');
      auto entry = address_of(trimmed(comma == std::string_view::npos ? rest : rest.substr(comma + 1)));
      if (!entry) return client;
      client = std::move(entry->text);
      if (!trusts(entry->bytes)) return client;
      if (comma == std::string_view::npos) break;
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

}  // namespace towline::http
