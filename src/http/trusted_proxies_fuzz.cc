// A peer, and X-Forwarded-For of arbitrary bytes behind it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/trusted_proxies.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towline;
  static const auto proxies = http::TrustedProxies::parse({"10.0.0.0/8", "fd00::/8"}).value();
  static const auto anybody = http::TrustedProxies::parse({"0.0.0.0/0", "::/0"}).value();
  const std::string text(reinterpret_cast<const char*>(data), size);
  http::Headers headers;
  headers.add("x-forwarded-for", text);
  const auto client = proxies.client_of("10.0.0.1:1", headers);
  if (proxies.client_of(text, {}) || proxies.client_of("192.0.2.1:1", headers)) std::abort();
  if (!client) return 0;
  // It is an address, and in one notation.
  const auto again = anybody.client_of("10.0.0.1:1", {{"x-forwarded-for", *client}});
  if (again != client) std::abort();
  return 0;
}
