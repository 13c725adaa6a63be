#include "http/http1_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "http/fields.h"

namespace towline::http {
namespace {

// Fields that are made from the head and the framing, whatever the headers say.
bool is_ours(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "host", "connection", "content-length", "transfer-encoding", "upgrade",
      "te",   "keep-alive", "expect",         "http2-settings",    "proxy-connection"};
  return std::ranges::find(kNames, name) != kNames.end();
}

// "Content-Type": fields are compared without case, but people and scripts that read them expect this.
void append_name(std::string& out, std::string_view name) {
  bool start = true;
  for (const char c : name) {
    out += start && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    start = c == '-';
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_name(out, name);
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_framing(std::string& out, BodyFraming framing, std::optional<std::uint64_t> length) {
  if (framing == BodyFraming::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (length) {
    out += "Content-Length: ";
    append_number(out, *length);
    out += "\r\n";
  }
}

// Of a head without flaws, see check_to_send().
void append_fields(std::string& out, const Headers& fields) {
  for (const auto field : fields) {
    if (!is_ours(field.name)) append_field(out, field.name, field.value);
  }
}

std::size_t estimate(const Headers& headers) { return headers.bytes() + 4 * headers.size() + 256; }

void append_two(std::string& out, unsigned value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

}  // namespace

void append_trailers(std::string& out, const Headers& fields) {
  for (const auto field : fields) {
    if (!is_ours(field.name) && is_field(field.name, field.value)) append_field(out, field.name, field.value);
  }
}

void append_request_head(std::string& out, const RequestHead& head, BodyFraming framing,
                         std::optional<std::uint64_t> content_length) {
  out.reserve(out.size() + head.method.size() + head.target.size() + estimate(head.headers));
  out += head.method;
  out += ' ';
  if (is_target(head.target)) {
    out += head.target.empty() ? "/" : head.target;
  } else {
    out += encode_target(head.target);
  }
  out += " HTTP/1.1\r\n";
  append_field(out, "host", head.authority);
  append_framing(out, framing, content_length);
  if (!head.upgrade.empty()) {
    out += "Connection: Upgrade\r\n";
    append_field(out, "upgrade", head.upgrade);
  }
  append_fields(out, head.headers);
  out += "\r\n";
}

void append_response_head(std::string& out, const ResponseHead& head, BodyFraming framing,
                          std::optional<std::uint64_t> content_length, bool close, Clock::WallTime now) {
  out.reserve(out.size() + estimate(head.headers));
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(std::clamp(head.status, 100, 999)));
  out += ' ';
  out += reason_phrase(head.status);
  out += "\r\n";
  if (!head.headers.has("date")) {
    out += "Date: ";
    append_date(out, now);
    out += "\r\n";
  }
  append_framing(out, framing, content_length);
  if (head.status == 101) {
    out += "Connection: Upgrade\r\n";
    append_field(out, "upgrade", head.upgrade);
  } else if (close) {
    out += "Connection: close\r\n";
  }
  append_fields(out, head.headers);
  out += "\r\n";
}

std::string_view chunk_head(std::size_t size, char (&buffer)[20]) {
  char* end = std::to_chars(buffer, buffer + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {buffer, static_cast<std::size_t>(end - buffer)};
}

void append_date(std::string& out, Clock::WallTime time) {
  static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(seconds - days);
  out += kDays.substr(std::chrono::weekday(days).c_encoding() * 3, 3);
  out += ", ";
  append_two(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3);
  out += ' ';
  append_number(out, static_cast<std::uint64_t>(static_cast<int>(date.year())));
  out += ' ';
  append_two(out, static_cast<unsigned>(clock.hours().count()));
  out += ':';
  append_two(out, static_cast<unsigned>(clock.minutes().count()));
  out += ':';
  append_two(out, static_cast<unsigned>(clock.seconds().count()));
  out += " GMT";
}

}  // namespace towline::http
