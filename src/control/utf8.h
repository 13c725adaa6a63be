#pragma once

#include <string>
#include <string_view>

namespace towline::control {

/// Well-formed by RFC 3629: shortest forms only, no surrogates.
bool is_utf8(std::string_view text);

/// `text` with each byte that is not part of well-formed UTF-8 replaced by U+FFFD. Git stores names and
/// messages in any encoding; JSON and protobuf know but one.
std::string to_utf8(std::string_view text);

/// The same with U+FFFD for NUL as well, which no database takes in a text.
std::string storable(std::string_view text);

}  // namespace towline::control
