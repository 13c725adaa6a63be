#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/status.h"

namespace towline {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// Parses "debug", "info", "warn" or "error".
Result<LogLevel> parse_log_level(std::string_view text);

/// One key and value of a log line.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, bool, double> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  template <typename T>
  requires std::is_arithmetic_v<T> LogField(std::string_view k, T v) : key(k) {
    if constexpr (std::is_same_v<T, bool>) {
      value = v;
    } else if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<double>(v);
    } else {
      value = static_cast<std::int64_t>(v);
    }
  }
};

/// A handle to a log that writes JSON lines: {"time":...,"level":"info","msg":"...","agent_id":7}.
/// Copies share the log. Safe to use from any thread. A default-made Logger drops everything.
class Logger {
 public:
  using Fields = std::initializer_list<LogField>;

  Logger() = default;

  /// A log that writes to standard error from `level` up.
  static Logger to_stderr(LogLevel level);
  /// A log that appends to `*lines`, one entry a line, for tests. `lines` must outlive the logger.
  static Logger to_vector(std::vector<std::string>* lines, LogLevel level = LogLevel::kDebug);

  /// The same log with a field added to each line.
  Logger with(std::string_view key, std::string_view value) const;

  /// Makes lines below kWarn wait for flush(), at most 32 KiB of them. `flush_later` is called in the thread
  /// that logs the first one, and says whether flush() will be called soon; if not, lines leave at once.
  using FlushLater = std::move_only_function<bool()>;
  void flush_later(FlushLater flush_later);
  void flush() const;

  /// Changes the level of this log and all its copies.
  void set_level(LogLevel level);
  bool enabled(LogLevel level) const;

  void debug(std::string_view message, Fields fields = {}) const { log(LogLevel::kDebug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { log(LogLevel::kInfo, message, fields); }
  void warn(std::string_view message, Fields fields = {}) const { log(LogLevel::kWarn, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { log(LogLevel::kError, message, fields); }
  void log(LogLevel level, std::string_view message, Fields fields) const;

 private:
  struct Sink;
  std::shared_ptr<Sink> sink_;
  std::string context_;  // fields of with(), already as JSON: ,"key":"value"
};

}  // namespace towline
