#include "kube/rfc3339.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace towline::kube {
namespace {

/// Takes pieces off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Exactly `digits` digits, from `low` to `high`.
  int number(int digits, int low, int high) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      const char c = next();
      if (c < '0' || c > '9') good_ = false;
      value = value * 10 + (c - '0');
    }
    if (value < low || value > high) good_ = false;
    return value;
  }
  /// One of `allowed`.
  char one_of(std::string_view allowed) {
    const char c = next();
    if (c == '\0' || allowed.find(c) == std::string_view::npos) good_ = false;
    return c;
  }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_digits() {
    number(1, 0, 9);
    while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') text_.remove_prefix(1);
  }
  bool good() const { return good_; }
  bool done() const { return good_ && text_.empty(); }

 private:
  char next() {
    if (text_.empty()) return '\0';
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  std::string_view text_;
  bool good_ = true;
};

Clock::WallTime clamped(std::chrono::sys_seconds time) {
  using Time = Clock::WallTime;
  if (time >= std::chrono::floor<std::chrono::seconds>(Time::max())) return Time::max();
  if (time <= std::chrono::ceil<std::chrono::seconds>(Time::min())) return Time::min();
  return time;
}

}  // namespace

std::optional<Clock::WallTime> parse_rfc3339(std::string_view text) {
  namespace chr = std::chrono;
  Scanner scan(text);
  const int year = scan.number(4, 0, 9999);
  scan.one_of("-");
  const int month = scan.number(2, 1, 12);
  scan.one_of("-");
  const int day = scan.number(2, 1, 31);
  scan.one_of("Tt ");
  const int hour = scan.number(2, 0, 23);
  scan.one_of(":");
  const int minute = scan.number(2, 0, 59);
  scan.one_of(":");
  const int second = scan.number(2, 0, 60);  // 60: a leap second
  if (scan.take('.')) scan.skip_digits();
  const char zone = scan.one_of("Zz+-");
  chr::seconds offset{0};
  if (scan.good() && (zone == '+' || zone == '-')) {
    offset += chr::hours(scan.number(2, 0, 23));
    scan.one_of(":");
    offset += chr::minutes(scan.number(2, 0, 59));
    if (zone == '-') offset = -offset;
  }
  if (!scan.done()) return std::nullopt;
  const chr::year_month_day date{chr::year(year), chr::month(static_cast<unsigned>(month)),
                                 chr::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return clamped(chr::sys_days(date) + chr::hours(hour) + chr::minutes(minute) + chr::seconds(second) -
                 offset);
}

std::string format_rfc3339(Clock::WallTime time, bool with_micros) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t whole = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char text[64];
  std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  if (with_micros) {
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time - seconds).count();
    size += static_cast<std::size_t>(
        std::snprintf(text + size, sizeof text - size, ".%06d", static_cast<int>(micros)));
  }
  return std::string(text, size) + "Z";
}

}  // namespace towline::kube
