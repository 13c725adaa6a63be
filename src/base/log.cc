#include "base/log.h"

#include <charconv>
#include <mutex>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace towline {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// JSON string contents (RFC 8259, section 7). Boost.JSON would do it too, but this file also serves the
// agent, which has no other use for a JSON library.
void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_field(std::string& out, const LogField& field) {
  out.push_back(',');
  append_json_string(out, field.key);
  out.push_back(':');
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    append_json_string(out, *text);
  } else if (const auto* flag = std::get_if<bool>(&field.value)) {
    out.append(*flag ? "true" : "false");
  } else {
    char buffer[32];
    const auto end =
        std::holds_alternative<std::int64_t>(field.value)
            ? std::to_chars(buffer, buffer + sizeof buffer, std::get<std::int64_t>(field.value)).ptr
            : std::to_chars(buffer, buffer + sizeof buffer, std::get<double>(field.value)).ptr;
    out.append(buffer, end);
  }
}

class VectorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit VectorSink(std::vector<std::string>* lines) : lines_(lines) {}

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    lines_->emplace_back(line.payload.data(), line.payload.size());
  }
  void flush_() override {}

  std::vector<std::string>* lines_;
};

}  // namespace

struct Logger::Sink {
  explicit Sink(spdlog::sink_ptr sink, LogLevel level) : logger("towline", std::move(sink)) {
    logger.set_level(to_spdlog(level));
    logger.flush_on(spdlog::level::debug);
    logger.set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","msg":%v})",
                       spdlog::pattern_time_type::utc);
  }
  spdlog::logger logger;
};

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return fail(Code::kInvalidArgument,
              "unknown log level \"" + std::string(text) + "\": use debug, info, warn or error");
}

Logger Logger::to_stderr(LogLevel level) {
  Logger log;
  log.sink_ = std::make_shared<Sink>(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level);
  return log;
}

Logger Logger::to_vector(std::vector<std::string>* lines, LogLevel level) {
  Logger log;
  log.sink_ = std::make_shared<Sink>(std::make_shared<VectorSink>(lines), level);
  return log;
}

Logger Logger::with(std::string_view key, std::string_view value) const {
  Logger copy = *this;
  append_field(copy.context_, LogField(key, value));
  return copy;
}

void Logger::set_level(LogLevel level) {
  if (sink_) sink_->logger.set_level(to_spdlog(level));
}

bool Logger::enabled(LogLevel level) const { return sink_ && sink_->logger.should_log(to_spdlog(level)); }

void Logger::log(LogLevel level, std::string_view message, Fields fields) const {
  if (!enabled(level)) return;
  std::string line;
  line.reserve(128);
  append_json_string(line, message);
  line += context_;
  for (const LogField& field : fields) append_field(line, field);
  sink_->logger.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace towline
