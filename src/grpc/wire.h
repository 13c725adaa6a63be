#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "grpc/call.h"
#include "http/headers.h"

namespace towline::grpc {

// How gRPC writes things in HTTP/2 header fields ("gRPC over HTTP2", PROTOCOL-HTTP2).

/// "20S", "1500m": at most eight digits and a unit.
std::string encode_timeout(std::chrono::nanoseconds timeout);
std::optional<std::chrono::nanoseconds> decode_timeout(std::string_view text);

/// grpc-message: percent-encoding of all but printable ASCII without '%'.
std::string encode_message(std::string_view text);
std::string decode_message(std::string_view text);

/// Adds metadata to header fields, "-bin" values in base64.
void add_metadata(http::Headers& fields, const Metadata& metadata);
/// What of `fields` is metadata; "-bin" values that are not base64 are dropped.
Metadata take_metadata(const http::Headers& fields);

/// grpc-status and grpc-message as fields.
void add_status(http::Headers& fields, const Status& status);
/// The status in trailers; absent when there is no grpc-status.
std::optional<Status> find_status(const http::Headers& fields);
/// What a response that is not gRPC means, as gRPC's own mapping has it.
Status status_from_http(int http_status);

}  // namespace towline::grpc
