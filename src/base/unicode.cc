#include "base/unicode.h"

namespace towline {
namespace {

constexpr Character kWrong{0xFFFD, 1};

bool in(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

}  // namespace

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xC2 || first > 0xF4) return kWrong;
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < size) return kWrong;
  char32_t code = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return kWrong;
    code = code << 6 | (byte(i) & 0x3FU);
  }
  // Longer than need be, half of a pair of UTF-16, or beyond Unicode.
  if ((size == 3 && code < 0x800) || (size == 4 && code < 0x10000)) return kWrong;
  if (in(code, 0xD800, 0xDFFF) || code > 0x10FFFF) return kWrong;
  return {code, size};
}

bool acts_on_display(char32_t code) {
  if (code < 0x80) return code < 0x20 || code == 0x7F;
  return in(code, 0x80, 0x9F) || code == 0x61C || code == 0x200E || code == 0x200F ||
         in(code, 0x2028, 0x202E) || in(code, 0x2066, 0x2069) || code == 0xFEFF;
}

void append_json_escape(std::string& out, char32_t code) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[code >> shift & 15]);
}

}  // namespace towline
