#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace towline {

/// One character of UTF-8 text (RFC 3629).
struct Character {
  char32_t code = 0;     // U+FFFD for a byte that is not UTF-8
  std::size_t size = 1;  // bytes that it takes
};

/// What `text`, which is not empty, begins with.
Character first_character(std::string_view text);

/// Whether a terminal or an editor acts by a character instead of showing it: C0 and C1 controls, of which
/// U+009B begins a terminal's commands; the marks and overrides of writing direction, which show text in
/// another order than it has; separators of lines and paragraphs; the byte order mark.
bool acts_on_display(char32_t code);

/// Appends "\u009b": the character as JSON escapes it.
void append_json_escape(std::string& out, char32_t code);

}  // namespace towline
