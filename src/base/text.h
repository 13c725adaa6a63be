#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace towline {

/// `text` without what it begins and ends with of `unwanted`: optional white space of HTTP (RFC 9110,
/// section 5.6.3) unless said otherwise.
std::string_view trim(std::string_view text, std::string_view unwanted = " \t");
/// White space at the ends of what people type and keep in files.
inline constexpr std::string_view kSpace = " \t\r\n";

/// With A to Z as a to z; all other bytes stay.
std::string lower_case(std::string_view text);

/// The well-formed UTF-8 sequence (RFC 3629) at the start of `text`, which is not empty; size 0 when there is
/// none.
struct Utf8Sequence {
  std::size_t size = 0;
  char32_t point = 0;
};
Utf8Sequence utf8_sequence(std::string_view text);

/// What a stranger says of himself, for logs, tables and pages: UTF-8 of at most `limit` bytes, without half
/// a character at its end. "?" stands for each byte that is no UTF-8 and for characters that would act
/// instead of being shown: control characters, line separators, changes of direction.
std::string printable(std::string_view text, std::size_t limit);

/// `name`, or when it is longer than `limit`, its beginning with "-" and `tail`, which tells it from others
/// that begin alike. `tail` is shorter than `limit`. For DNS labels: no "-" stands before that "-".
std::string fit_name(std::string_view name, std::size_t limit, std::string_view tail);

}  // namespace towline
