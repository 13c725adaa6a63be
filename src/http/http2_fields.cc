#include "http/http2_fields.h"

#include <charconv>
#include <string>

namespace towline::http {

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv>& scratch_fields() {
  static thread_local std::vector<nghttp2_nv> fields;
  fields.clear();
  return fields;
}

void append_fields(std::vector<nghttp2_nv>& out, const Headers& headers) {
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const Headers::Field f = headers.at(i);
    // Fields that HTTP/2 forbids (RFC 9113, section 8.2.2).
    if (f.name == "connection" || f.name == "transfer-encoding" || f.name == "keep-alive" ||
        f.name == "upgrade" || f.name == "proxy-connection" || f.name == "host" ||
        f.name == "content-length") {
      continue;
    }
    out.push_back(field(f.name, f.value));
  }
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> take_content_length(Headers& headers) {
  const auto text = headers.get("content-length");
  if (!text) return std::nullopt;
  const auto length = parse_number(*text);
  headers.remove("content-length");
  return length;
}

void join_cookies(Headers& headers) {
  std::string joined;
  int count = 0;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (headers.at(i).name != "cookie") continue;
    if (count++ > 0) joined += "; ";
    joined += headers.at(i).value;
  }
  if (count > 1) headers.set("cookie", joined);
}

}  // namespace towline::http
