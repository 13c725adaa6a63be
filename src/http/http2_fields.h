#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "http/headers.h"

namespace towline::http {

/// A field as nghttp2 takes it; refers to `name` and `value`.
nghttp2_nv field(std::string_view name, std::string_view value);

/// An empty list for the fields of one head, the thread's own, so that heads cost no allocation.
std::vector<nghttp2_nv>& scratch_fields();

/// Appends what HTTP/2 allows of `headers`, which must outlive `out`.
void append_fields(std::vector<nghttp2_nv>& out, const Headers& headers);

/// A decimal number and nothing else.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// Takes Content-Length out of `headers`, in a form that nghttp2 has checked.
std::optional<std::uint64_t> take_content_length(Headers& headers);

/// HTTP/2 may split Cookie into several fields; others need it whole (RFC 9113, section 8.2.3).
void join_cookies(Headers& headers);

}  // namespace towline::http
