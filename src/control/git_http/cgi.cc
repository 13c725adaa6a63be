#include "control/git_http/cgi.h"

#include <charconv>

namespace towline::control::git_http {
namespace {

// git http-backend sends some two hundred bytes.
constexpr std::size_t kMaxHead = 16 * 1024;

Status bad(const char* why) { return {Code::kInvalidArgument, std::string("CGI response: ") + why}; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

template <typename T>
std::optional<T> to_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::size_t> CgiHead::take(std::string_view bytes) {
  const std::size_t before = text_.size();
  text_.append(bytes.substr(0, kMaxHead + 4 - std::min(kMaxHead, before)));
  // A line that holds nothing ends the head.
  std::size_t line = 0;
  for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n', line)) {
    if (trim(std::string_view(text_).substr(line, end - line)).empty()) {
      text_.resize(end + 1);
      complete_ = true;
      if (Status status = parse(); !status.ok()) return fail(status);
      return end + 1 - before;
    }
    line = end + 1;
  }
  if (text_.size() > kMaxHead) return fail(bad("its head is too large"));
  return bytes.size();
}

Status CgiHead::parse() {
  std::string_view rest = text_;
  while (!rest.empty()) {
    const std::string_view line = trim(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(rest.find('\n') + 1);
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return bad("a header field has no name");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (http::equals_ignoring_case(name, "status")) {
      const auto status = to_number<int>(value);
      if (!status || *status < 200 || *status > 599) return bad("its status is no number");
      head_.status = *status;
    } else if (http::equals_ignoring_case(name, "content-length")) {
      head_.content_length = to_number<std::uint64_t>(value);
      if (!head_.content_length) return bad("its content length is no number");
    } else {
      head_.headers.add(name, value);
    }
  }
  http::remove_hop_by_hop(head_.headers);
  return {};
}

}  // namespace towline::control::git_http
