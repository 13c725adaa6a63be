#include "grpc/wire.h"

#include <array>
#include <charconv>

#include "base/encoding.h"

namespace towline::grpc {
namespace {

bool is_binary(std::string_view name) { return name.ends_with("-bin"); }

bool is_reserved(std::string_view name) {
  return name.starts_with("grpc-") || name == "content-type" || name == "te" || name == "user-agent" ||
         name == "accept-encoding";
}

}  // namespace

std::string encode_timeout(std::chrono::nanoseconds timeout) {
  constexpr std::int64_t kMaxValue = 99'999'999;
  static constexpr std::array<std::pair<char, std::int64_t>, 6> kUnits = {{{'n', 1},
                                                                           {'u', 1'000},
                                                                           {'m', 1'000'000},
                                                                           {'S', 1'000'000'000},
                                                                           {'M', 60'000'000'000},
                                                                           {'H', 3'600'000'000'000}}};
  const std::int64_t nanos = std::max<std::int64_t>(timeout.count(), 0);
  for (const auto& [unit, size] : kUnits) {
    const std::int64_t value = (nanos + size - 1) / size;
    if (value <= kMaxValue) return std::to_string(value) + unit;
  }
  return "99999999H";
}

std::optional<std::chrono::nanoseconds> decode_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, value);
  if (error != std::errc() || end != text.data() + text.size() - 1 || value < 0) return std::nullopt;
  using std::chrono::nanoseconds;
  switch (text.back()) {
    case 'n':
      return nanoseconds(value);
    case 'u':
      return nanoseconds(value * 1'000);
    case 'm':
      return nanoseconds(value * 1'000'000);
    case 'S':
      return nanoseconds(value * 1'000'000'000);
    case 'M':
      return nanoseconds(value > 100'000'000 ? nanoseconds::max().count() : value * 60'000'000'000);
    case 'H':
      return nanoseconds(value > 2'500'000 ? nanoseconds::max().count() : value * 3'600'000'000'000);
    default:
      return std::nullopt;
  }
}

std::string encode_message(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (c >= 0x20 && c <= 0x7e && c != '%') {
      out.push_back(c);
    } else {
      const auto b = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kDigits[b >> 4]);
      out.push_back(kDigits[b & 15]);
    }
  }
  return out;
}

std::string decode_message(std::string_view text) {
  // Receivers must not fail on a broken encoding.
  return percent_decode(text).value_or(std::string(text));
}

void add_metadata(http::Headers& fields, const Metadata& metadata) {
  for (const auto& [name, value] : metadata) {
    if (is_reserved(name)) continue;
    fields.add(name, is_binary(name) ? base64_encode(value) : std::string(value));
  }
}

Metadata take_metadata(const http::Headers& fields) {
  Metadata metadata;
  for (const auto& [name, value] : fields) {
    if (is_reserved(name) && name != "user-agent") continue;
    if (!is_binary(name)) {
      metadata.add(name, value);
    } else if (const auto raw = base64_decode(value)) {
      metadata.add(name, *raw);
    }
  }
  return metadata;
}

void add_status(http::Headers& fields, const Status& status) {
  fields.add("grpc-status", std::to_string(static_cast<int>(status.code())));
  if (!status.message().empty()) fields.add("grpc-message", encode_message(status.message()));
}

std::optional<Status> find_status(const http::Headers& fields) {
  const auto text = fields.get("grpc-status");
  if (!text) return std::nullopt;
  int code = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), code);
  const bool known = error == std::errc() && end == text->data() + text->size() && code >= 0 && code <= 16;
  return Status(known ? static_cast<Code>(code) : Code::kUnknown,
                decode_message(fields.get("grpc-message").value_or("")));
}

Status status_from_http(int http_status) {
  Code code = Code::kUnknown;
  switch (http_status) {
    case 400:
      code = Code::kInternal;
      break;
    case 401:
      code = Code::kUnauthenticated;
      break;
    case 403:
      code = Code::kPermissionDenied;
      break;
    case 404:
      code = Code::kUnimplemented;
      break;
    case 429:
    case 502:
    case 503:
    case 504:
      code = Code::kUnavailable;
      break;
    default:
      break;
  }
  return Status(code, "HTTP status " + std::to_string(http_status) + " instead of a gRPC answer");
}

}  // namespace towline::grpc
