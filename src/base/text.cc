#include "base/text.h"

#include <algorithm>

namespace towline {
namespace {

std::size_t utf8_size(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

// Whether a terminal or a browser does something on seeing it.
bool acts(char32_t point) {
  const auto within = [&](char32_t first, char32_t last) { return point >= first && point <= last; };
  return point < 0x20 || within(0x7f, 0x9f) || within(0x200b, 0x200f) || within(0x2028, 0x202e) ||
         within(0x2060, 0x206f) || point == 0xfeff;
}

}  // namespace

std::string_view trim(std::string_view text, std::string_view unwanted) {
  const auto first = text.find_first_not_of(unwanted);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(unwanted) - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string fit_name(std::string_view name, std::size_t limit, std::string_view tail) {
  if (name.size() <= limit) return std::string(name);
  name = name.substr(0, limit - tail.size() - 1);
  while (name.ends_with('-')) name.remove_suffix(1);
  return std::string(name).append("-").append(tail);
}

Utf8Sequence utf8_sequence(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = utf8_size(lead);
  if (size > text.size()) return {};
  if (size <= 1) return {size, lead};
  char32_t point = lead & (0x7fU >> size);
  for (std::size_t k = 1; k < size; ++k) {
    const auto next = static_cast<unsigned char>(text[k]);
    if ((next & 0xc0) != 0x80) return {};
    point = (point << 6) | (next & 0x3f);
  }
  const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  if (overlong || surrogate || point > 0x10ffff) return {};
  return {size, point};
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  while (!text.empty()) {
    const Utf8Sequence next = utf8_sequence(text);
    const bool shown = next.size > 0 && !acts(next.point);
    if (out.size() + (shown ? next.size : 1) > limit) break;
    if (shown) {
      out += text.substr(0, next.size);
    } else {
      out += '?';
    }
    text.remove_prefix(std::max<std::size_t>(next.size, 1));
  }
  return out;
}

}  // namespace towline
