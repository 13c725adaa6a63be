#include "io/address_policy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/url.h"

namespace towline::io {
namespace {

struct Special {
  const char* network;
  const char* what;  // null: nothing special
};
// https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry. The first that
// fits counts.
constexpr Special kSpecial[] = {
    {"0.0.0.0/32", "the unspecified address"},
    {"0.0.0.0/8", "a reserved address"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "an address of carrier-grade NAT"},
    {"127.0.0.0/8", "a loopback address"},
    {"168.63.129.16/32", "the address of Azure's host services"},
    {"169.254.0.0/16", "a link-local address"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "a reserved address"},
    {"192.0.2.0/24", "a documentation address"},
    {"192.31.196.0/24", "a special-purpose address"},
    {"192.52.193.0/24", "a special-purpose address"},
    {"192.88.99.0/24", "a special-purpose address"},
    {"192.168.0.0/16", "a private address"},
    {"192.175.48.0/24", "a special-purpose address"},
    {"198.18.0.0/15", "a benchmarking address"},
    {"198.51.100.0/24", "a documentation address"},
    {"203.0.113.0/24", "a documentation address"},
    {"224.0.0.0/4", "a multicast address"},
    {"255.255.255.255/32", "the broadcast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"0.0.0.0/0", nullptr},
    {"::/128", "the unspecified address"},
    {"::1/128", "a loopback address"},
    {"::/96", "an IPv4-compatible address"},
    {"64:ff9b::/96", nullptr},  // NAT64: what it carries decides
    {"2001::/32", "a Teredo address"},
    {"2001:2::/48", "a benchmarking address"},
    {"2001::/23", "a special-purpose address"},
    {"2001:db8::/32", "a documentation address"},
    {"2002::/16", "a 6to4 address"},
    {"2620:4f:8000::/48", "a special-purpose address"},
    {"3fff::/20", "a documentation address"},
    {"2000::/3", nullptr},  // global unicast
    {"fc00::/7", "a unique local address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a site-local address"},
    {"ff00::/8", "a multicast address"},
    {"::/0", "a reserved address"},
};

// Null for an address that anybody may dial.
const char* special(std::string_view bytes) {
  static const auto kNetworks = [] {
    std::vector<std::pair<Network, const char*>> networks;
    for (const Special& each : kSpecial)
      networks.emplace_back(parse_network(each.network).value(), each.what);
    return networks;
  }();
  const auto found = std::find_if(kNetworks.begin(), kNetworks.end(),
                                  [&](const auto& each) { return each.first.contains(bytes); });
  return found == kNetworks.end() ? "no IP address" : found->second;
}

// The IPv4 address to which something on the way translates a global IPv6 address: NAT64 (RFC 6052) and
// ISATAP (RFC 5214). Other forms that carry one are special as a whole.
std::string carried_address(std::string_view bytes) {
  static const Network kNat64 = parse_network("64:ff9b::/96").value();
  if (bytes.size() != 16) return {};
  const std::string_view interface = bytes.substr(8, 4);
  using std::string_view_literals::operator""sv;
  const bool isatap = interface == "\x00\x00\x5e\xfe"sv || interface == "\x02\x00\x5e\xfe"sv;
  return isatap || kNat64.contains(bytes) ? std::string(bytes.substr(12)) : std::string();
}

std::string dotted(std::string_view bytes) {
  std::string text;
  for (const char c : bytes)
    text += (text.empty() ? "" : ".") + std::to_string(static_cast<unsigned char>(c));
  return text;
}

// What some programs take for a part of an IPv4 address: digits, or hexadecimal ones after 0x.
bool is_number(std::string_view label) {
  const bool hex = label.starts_with("0x");
  return label.substr(hex ? 2 : 0).find_first_not_of(hex ? "0123456789abcdef" : "0123456789") ==
         std::string_view::npos;
}

// A name that ends in a number is none (RFC 1123, section 2.1): it could only be meant as an address by some
// other program on the way, such as an HTTP proxy.
bool is_name(std::string_view name) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  if (name.empty() || name.size() > 253 || name.find_first_not_of(kCharacters) != std::string_view::npos) {
    return false;
  }
  for (std::string_view rest = name;;) {
    const auto dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63) return false;
    if (dot == std::string_view::npos) return !is_number(label);
    rest.remove_prefix(dot + 1);
  }
}

Status refusal(const std::string& what, const std::string& host, std::uint16_t port) {
  return Status(Code::kPermissionDenied, what + "; it is dialled only with " + std::string(kAllowFlag) + " " +
                                             join_host_port(host, port));
}

// What stands before the port; the port is 0 where there is none.
std::optional<HostPort> split_port(const std::string& entry) {
  const auto last = entry.find_last_of("/]");
  const auto colon = entry.find(':', last == std::string::npos ? 0 : last);
  if (colon == std::string::npos || !address_bytes(entry).empty()) return HostPort{entry, 0};
  const auto port = parse_host_port("x" + entry.substr(colon));
  if (!port || port->port == 0) return std::nullopt;
  return HostPort{entry.substr(0, colon), port->port};
}

// "[fd00::1]" and "[fd00::]/8" too.
std::string without_brackets(std::string text) {
  const auto end = text.find(']');
  if (!text.starts_with('[') || end == std::string::npos || text.find(':') > end) return text;
  if (end + 1 != text.size() && text[end + 1] != '/') return text;
  return text.erase(end, 1).erase(0, 1);
}

// Nothing where bits beyond the network's are set: then something else was meant.
std::optional<Network> exact_network(const std::string& text) {
  auto network = parse_network(text);
  if (!network) return std::nullopt;
  for (std::size_t bit = static_cast<std::size_t>(network->bits); bit < network->bytes.size() * 8; ++bit) {
    if ((network->bytes[bit / 8] & (0x80 >> bit % 8)) != 0) return std::nullopt;
  }
  return network;
}

}  // namespace

Result<AddressPolicy::Entry> AddressPolicy::parse_entry(std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return fail(Code::kInvalidArgument, "\"" + std::string(text) + "\" " + why);
  };
  const auto split = split_port(lower_case(trim(text, kSpace)));
  if (!split) return bad("has no port from 1 to 65535 after its colon; an IPv6 address stands in brackets");
  Entry entry{.port = split->port};
  const std::string host = without_brackets(split->host);
  if (host.find('/') != std::string::npos) {
    const auto network = exact_network(host);
    if (!network) return bad("is not a network like 10.0.0.0/8, where all bits after the first 8 are 0");
    entry.network = *network;
    return entry;
  }
  if (std::string bytes = address_bytes(host); !bytes.empty()) {
    const int bits = static_cast<int>(bytes.size()) * 8;
    entry.network = {.bytes = std::move(bytes), .bits = bits};
    return entry;
  }
  entry.below = host.starts_with('.');
  entry.name = plain_name(entry.below ? std::string_view(host).substr(1) : host);
  if (is_name(entry.name)) return entry;
  return bad("is not an address, a network like 10.0.0.0/8, a host name or .suffix, with or without :port");
}

Result<AddressPolicy> AddressPolicy::parse(const std::vector<std::string>& entries) {
  AddressPolicy policy;
  for (const std::string& text : entries) {
    auto entry = parse_entry(text);
    if (!entry) return fail(std::move(entry.error()));
    policy.entries_.push_back(std::move(*entry));
  }
  return policy;
}

bool AddressPolicy::allows_name(const std::string& name, std::uint16_t port) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& each) {
    if (each.name.empty() || (each.port != 0 && each.port != port)) return false;
    return each.below ? name.ends_with("." + each.name) : name == each.name;
  });
}

bool AddressPolicy::allows_address(std::string_view bytes, std::uint16_t port) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& each) {
    return (each.port == 0 || each.port == port) && each.network.contains(bytes);
  });
}

Status AddressPolicy::check_host(std::string_view host, std::uint16_t port) const {
  if (const auto literal = literal_address(std::string(host), port)) return check_address(host, *literal);
  const std::string name = plain_name(host);
  if (!is_name(name)) {
    // Whatever it is, it is not repeated: these may be any bytes.
    return Status(Code::kInvalidArgument,
                  "the host is neither an IP address nor a name of letters, digits, '-', '_' and '.'");
  }
  if (!is_localhost(name) || allows_name(name, port)) return {};
  for (const char* own : {"127.0.0.1", "::1"}) {
    if (allows_address(address_bytes(own), port)) return {};
  }
  return refusal(name + " is a name of this machine", name, port);
}

Status AddressPolicy::check_address(std::string_view host, const SocketAddress& address) const {
  const std::string bytes = address_bytes(address);
  const std::uint16_t port = port_of(address);
  if (allows_name(plain_name(host), port) || allows_address(bytes, port)) return {};
  std::string ip = ip_of(address);
  ip.erase(std::min(ip.size(), ip.find('%')));
  if (const char* what = special(bytes)) return refusal(ip + " is " + what, ip, port);
  const std::string carried = carried_address(bytes);
  if (carried.empty()) return {};
  const char* const what = special(carried);
  if (what == nullptr || allows_address(carried, port)) return {};
  return refusal(ip + " carries " + dotted(carried) + ", which is " + what, ip, port);
}

}  // namespace towline::io
