#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace towline::control::git_http {

/// Collects the head of a CGI response (RFC 3875, section 6) from the start of a program's output.
class CgiHead {
 public:
  /// Takes bytes until the head is complete; gives how many of them belong to it. INVALID_ARGUMENT for output
  /// that is no CGI response.
  Result<std::size_t> take(std::string_view bytes);
  bool complete() const { return complete_; }
  const http::ResponseHead& head() const { return head_; }

 private:
  Status parse();

  std::string text_;
  bool complete_ = false;
  http::ResponseHead head_;
};

}  // namespace towline::control::git_http
