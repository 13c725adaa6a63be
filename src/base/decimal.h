#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace towline {

/// A number that names something: digits only, as this program writes it itself, so that each thing has one
/// name. Nothing for "0", "007", "+7", " 7", "7.0" and what does not fit.
inline std::optional<std::int64_t> parse_id(std::string_view text) {
  std::int64_t id = 0;
  const char* const end = text.data() + text.size();
  if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
  const auto [at, error] = std::from_chars(text.data(), end, id);
  return error == std::errc() && at == end ? std::optional(id) : std::nullopt;
}

}  // namespace towline
