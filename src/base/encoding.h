#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace towline {

/// Base64 with padding (RFC 4648, section 4).
std::string base64_encode(std::string_view bytes);
/// Accepts padded and unpadded input; white space and anything else is an error.
Result<std::string> base64_decode(std::string_view text);

/// Base64url without padding (RFC 4648, section 5), as JWT uses it.
std::string base64url_encode(std::string_view bytes);
Result<std::string> base64url_decode(std::string_view text);

/// Lower-case hexadecimal.
std::string hex_encode(std::string_view bytes);

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
std::string percent_encode(std::string_view text);
/// Decodes %XX; a broken sequence is an error. '+' stays '+', unless `plus_is_space`.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

/// SHA-256 as 32 raw bytes.
std::string sha256(std::string_view bytes);
/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

/// `n` bytes from the system's cryptographic random source. Aborts when it fails: nothing safe can follow.
std::string random_bytes(std::size_t n);
/// A positive random number.
long long random_id();

}  // namespace towline
