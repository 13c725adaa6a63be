#include "modules/kubernetes_api/wire.h"

#include <algorithm>
#include <vector>

#include "base/encoding.h"
#include "base/unicode.h"

namespace towline::kubernetes_api {
namespace {

bool is_path_safe(char c) {
  static constexpr std::string_view kSafe = "-_.~$&+,/:;=@";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kSafe.find(c) != std::string_view::npos;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character first = first_character(text);
    if (first.size == 1 && first.code > 0x7f) return false;
    text.remove_prefix(first.size);
  }
  return true;
}

}  // namespace

void to_map(const http::Headers& headers, HeaderMap& map) {
  for (const auto& [name, value] : headers) map[http::canonical_name(name)].add_value(std::string(value));
}

http::Headers from_map(const HeaderMap& map) {
  http::Headers headers;
  for (const auto& [name, values] : map) {
    for (const std::string& value : values.value()) headers.add(name, value);
  }
  return headers;
}

void query_to_map(std::string_view query, HeaderMap& map) {
  while (!query.empty()) {
    const auto amp = query.find('&');
    const std::string_view pair = query.substr(0, amp);
    if (!pair.empty()) {
      const auto equals = pair.find('=');
      const auto decode = [](std::string_view text) {
        return percent_decode(text, true).value_or(std::string(text));
      };
      const std::string value = equals == std::string_view::npos ? "" : decode(pair.substr(equals + 1));
      std::string name = decode(pair.substr(0, equals));
      // Keys of maps are UTF-8, or the whole message is refused.
      if (!is_utf8(name)) name = pair.substr(0, equals);
      if (is_utf8(name)) map[name].add_value(value);
    }
    if (amp == std::string_view::npos) break;
    query.remove_prefix(amp + 1);
  }
}

std::string query_from_map(const HeaderMap& map) {
  std::vector<std::string_view> keys;
  for (const auto& [key, values] : map) keys.push_back(key);
  std::ranges::sort(keys);  // as Go's url.Values.Encode, so that equal requests have equal targets
  std::string query;
  for (const std::string_view key : keys) {
    for (const std::string& value : map.at(std::string(key)).value()) {
      if (!query.empty()) query += '&';
      query += percent_encode(key);
      query += '=';
      query += percent_encode(value);
    }
  }
  return query;
}

std::string encode_path(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    if (is_path_safe(c)) {
      out.push_back(c);
    } else {
      out += percent_encode(std::string_view(&c, 1));
    }
  }
  return out;
}

}  // namespace towline::kubernetes_api
