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

/// `name`, or when it is longer than `limit`, its beginning with "-" and `tail`, which tells it from others
/// that begin alike. `tail` is shorter than `limit`. For DNS labels: no "-" stands before that "-".
std::string fit_name(std::string_view name, std::size_t limit, std::string_view tail);

}  // namespace towline
