#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/headers.h"
#include "http/message.h"

namespace towline::http {

/// The head of an HTTP/1.1 message as it came, before it means anything. Requests have a method and a target,
/// responses a status.
struct Http1Head {
  std::string method;
  std::string target;
  int status = 0;
  Headers headers;
  bool http10 = false;
  std::optional<std::uint64_t> framed_length;  // of Content-Length

  // Worked out by check_head.
  std::string authority;
  std::string upgrade;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

struct HeadFlaw {
  int status = 400;
  std::string message;
};

/// Says what a syntactically correct head has that must not be acted upon, and fills in what it means.
std::optional<HeadFlaw> check_head(Http1Head& head, bool is_request);

/// The head for handlers; `head` is spent by that, its flags are kept.
RequestHead to_request(Http1Head& head);
ResponseHead to_response(Http1Head& head);

}  // namespace towline::http
