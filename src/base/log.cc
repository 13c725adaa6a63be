#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <poll.h>
#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "base/unicode.h"

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

// JSON string contents (RFC 8259, section 7), without what a terminal that shows them would act on: what
// peers say stands in logs. Boost.JSON would do it too, but this file also serves the agent, which has no
// other use for a JSON library.
void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    // Nearly all is plain: taken at once.
    const auto plain =
        std::ranges::find_if_not(text, [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
    out.append(text.begin(), plain);
    text.remove_prefix(static_cast<std::size_t>(plain - text.begin()));
    if (text.empty()) break;
    const Character next = first_character(text);
    if (next.code == '"' || next.code == '\\') out.push_back('\\');
    if (acts_on_display(next.code) || (next.code == 0xFFFD && next.size == 1)) {
      append_json_escape(out, next.code);
    } else {
      out.append(text.substr(0, next.size));
    }
    text.remove_prefix(next.size);
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

// Standard error, with the lines of one turn of a loop in one write when there is somebody to flush them.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void set_flush_later(Logger::FlushLater flush_later) {
    const std::lock_guard lock(mutex_);
    flush_later_ = std::move(flush_later);
  }
  ~StderrSink() override { write_out(); }

 private:
  static constexpr std::size_t kBatch = 32 * 1024;

  void sink_it_(const spdlog::details::log_msg& line) override {
    formatter_->format(line, batch_);
    if (line.level >= spdlog::level::warn || batch_.size() >= kBatch) return write_out();
    if (!flush_coming_) flush_coming_ = flush_later_ && flush_later_();
    if (!flush_coming_) write_out();
  }
  void flush_() override {
    flush_coming_ = false;
    write_out();
  }

  void write_out() {
    const char* at = batch_.data();
    std::size_t left = batch_.size();
    while (left > 0) {
      const ssize_t n = ::write(STDERR_FILENO, at, left);
      if (n >= 0) {
        at += n;
        left -= static_cast<std::size_t>(n);
      } else if (errno == EAGAIN) {
        pollfd ready{STDERR_FILENO, POLLOUT, 0};
        ::poll(&ready, 1, -1);
      } else if (errno != EINTR) {
        break;  // nobody reads it, and there is nowhere else to say so
      }
    }
    batch_.clear();
  }

  spdlog::memory_buf_t batch_;
  Logger::FlushLater flush_later_;
  bool flush_coming_ = false;
};

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
    logger.set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","msg":%v})",
                       spdlog::pattern_time_type::utc);
  }
  spdlog::logger logger;
  StderrSink* to_stderr = nullptr;  // when that is where the logger writes
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
  auto sink = std::make_shared<StderrSink>();
  log.sink_ = std::make_shared<Sink>(sink, level);
  log.sink_->to_stderr = sink.get();
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

void Logger::flush_later(FlushLater flush_later) {
  if (sink_ && sink_->to_stderr != nullptr) sink_->to_stderr->set_flush_later(std::move(flush_later));
}

void Logger::flush() const {
  if (sink_) sink_->logger.flush();
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
