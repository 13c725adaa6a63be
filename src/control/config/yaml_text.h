#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "control/config/yaml_tree.h"

namespace towline::control::config {

/// Why the bytes of a file are no text that YAML may have: not UTF-8, or with control characters other than
/// tab and the ends of lines. The parser itself would put in other characters, or take UTF-16.
std::optional<Fault> check_text(std::string_view text);

/// A line that begins with "%" is a directive before the document and nothing behind its beginning, where the
/// parser would pass over it.
std::optional<Fault> check_directives(std::string_view text);

/// Whether a quoted scalar that begins at or behind `at`, after its tag and anchor, has its closing quote;
/// true when what stands there is not quoted. The parser takes the end of the file for a quote.
bool quote_is_closed(std::string_view text, std::size_t at);

/// `text` for a message, of any file's content: short, UTF-8, without control characters.
std::string shown(std::string_view text);

}  // namespace towline::control::config
