#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace towline::http {

/// Whether `text` is a token (RFC 9110, section 5.6.2), as methods and field names are.
bool is_token(std::string_view text);
/// Whether `text` may be the value of a field: no control but the tab, so that it ends no line and no head.
bool is_field_value(std::string_view text);
/// Whether a field of a message may have this name and value, on either protocol and in either direction. A
/// pseudo-header (":path") is none.
bool is_field(std::string_view name, std::string_view value);

/// Without spaces and tabs at both ends, which are no part of a value (RFC 9110, section 5.5).
std::string_view trim_blanks(std::string_view text);

/// White space and controls would end a request target early; they travel percent-encoded.
bool is_target(std::string_view target);
std::string encode_target(std::string_view target);

/// Whether a head can be sent on either protocol. If not, what is wrong with it: RESOURCE_EXHAUSTED when
/// names and values are larger than `limit`, else INVALID_ARGUMENT.
Status check_to_send(const RequestHead& head, std::size_t limit);
Status check_to_send(const ResponseHead& head, std::size_t limit);

}  // namespace towline::http
