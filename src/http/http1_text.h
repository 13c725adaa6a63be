#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace towline::http {

/// How the end of a body is told.
enum class BodyFraming {
  kNone,        // there is no body
  kLength,      // Content-Length
  kChunked,     // Transfer-Encoding: chunked
  kUntilClose,  // the end of the connection; also raw bytes after 101
};

/// Appends a request head, which must have no flaw (check_to_send in fields.h), as HTTP/1.1 text. Fields that
/// the framing and the connection decide (Host, Content-Length, Transfer-Encoding, Connection, Upgrade and
/// their like) are taken from `head`, not from its headers.
void append_request_head(std::string& out, const RequestHead& head, BodyFraming framing,
                         std::optional<std::uint64_t> content_length);

/// Likewise for a response. `close`: adds "Connection: close". Date is added unless the headers have one.
void append_response_head(std::string& out, const ResponseHead& head, BodyFraming framing,
                          std::optional<std::uint64_t> content_length, bool close, Clock::WallTime now);

/// The trailer section of a chunked body, without its last empty line; fields that cannot be sent are left
/// out.
void append_trailers(std::string& out, const Headers& fields);

/// The size line of a chunk, "1f4\r\n".
std::string_view chunk_head(std::size_t size, char (&buffer)[20]);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
void append_date(std::string& out, Clock::WallTime time);

}  // namespace towline::http
