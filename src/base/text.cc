#include "base/text.h"

namespace towline {

std::string_view trim(std::string_view text, std::string_view unwanted) {
  const auto first = text.find_first_not_of(unwanted);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(unwanted) - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string fit_name(std::string_view name, std::size_t limit, std::string_view tail) {
  if (name.size() <= limit) return std::string(name);
  name = name.substr(0, limit - tail.size() - 1);
  while (name.ends_with('-')) name.remove_suffix(1);
  return std::string(name).append("-").append(tail);
}

}  // namespace towline
