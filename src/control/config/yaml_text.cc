#include "control/config/yaml_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "control/utf8.h"

namespace towline::control::config {
namespace {

/// Limit: bytes of a file's text in one message about it; the rest is left out.
constexpr std::size_t kMaxShown = 100;

std::string hex(const char* format, unsigned value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// Bytes of the character that `text` begins with; 0 when there is none.
std::size_t character(std::string_view text) {
  for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (is_utf8(text.substr(0, size))) return size;
  }
  return 0;
}

// C0 and C1 without tab, line feed, carriage return and next line.
bool is_control(std::string_view one) {
  const auto first = static_cast<unsigned char>(one[0]);
  if (one.size() == 1)
    return first == 0x7f || (first < 0x20 && first != '\t' && first != '\n' && first != '\r');
  const auto second = static_cast<unsigned char>(one[1]);
  return one.size() == 2 && first == 0xc2 && second < 0xa0 && second != 0x85;
}

bool looks_like_utf16(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return true;
  return text.size() >= 4 && ((text[0] == '\0' && text[2] == '\0') || (text[1] == '\0' && text[3] == '\0'));
}

std::string fault_of(std::string_view rest, std::size_t size) {
  const auto first = static_cast<unsigned char>(rest[0]);
  if (size == 0) {
    return "the file is not UTF-8: the byte " + hex("0x%02x", first) +
           " stands alone; save the file as UTF-8";
  }
  const unsigned point = size == 1 ? first : static_cast<unsigned char>(rest[1]);
  return "the control character " + hex("U+%04X", point) + " is not allowed";
}

}  // namespace

std::optional<Fault> check_text(std::string_view text) {
  if (looks_like_utf16(text)) {
    return Fault{{1, 1}, "the file is not UTF-8 but UTF-16 or UTF-32; save it as UTF-8"};
  }
  Place place{1, 1};
  while (!text.empty()) {
    const std::size_t size = character(text);
    if (size == 0 || is_control(text.substr(0, size))) return Fault{place, fault_of(text, size)};
    if (text[0] == '\n') {
      place = {place.line + 1, 1};
    } else {
      place.column += static_cast<int>(size);  // as the parser counts
    }
    text.remove_prefix(size);
  }
  return std::nullopt;
}

std::optional<Fault> check_directives(std::string_view text) {
  bool begun = false;
  for (Place place{1, 1}; !text.empty(); ++place.line) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (begun && line.starts_with('%'))
      return Fault{place, "a line of the document must not begin with \"%\""};
    const auto first = line.find_first_not_of(" \t\r");
    begun = begun || (first != std::string_view::npos && line[first] != '#' && line[0] != '%');
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return std::nullopt;
}

bool quote_is_closed(std::string_view text, std::size_t at) {
  constexpr std::string_view kBlank = " \t\r\n";
  at = text.find_first_not_of(kBlank, at);
  while (at < text.size() && (text[at] == '!' || text[at] == '&' || text[at] == '#')) {
    at = text.find_first_of(text[at] == '#' ? "\n" : kBlank, at);
    at = text.find_first_not_of(kBlank, at);
  }
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return true;
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || at + 1 >= text.size() || text[at + 1] != '\'') return true;
      ++at;  // '' stands for one
    }
  }
  return false;
}

std::string shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= kMaxShown) return out + "...";
    const std::size_t size = character(text);
    const bool good = size != 0 && !is_control(text.substr(0, size)) && text[0] != '\n' && text[0] != '\r';
    if (good) {
      out += text.substr(0, size);
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace towline::control::config
