#include "http/headers.h"

#include <algorithm>

#include "base/text.h"

namespace towline::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Calls `visit` with each element of a comma-separated list.
template <typename Visit>
void for_each_token(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view token = trim(list.substr(0, comma));
    if (!token.empty()) visit(token);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

Headers::Headers(std::initializer_list<Field> fields) {
  for (const Field& field : fields) add(field.name, field.value);
}

void Headers::add(std::string_view name, std::string_view value) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  fields_.push_back({at, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
  text_.reserve(text_.size() + name.size() + value.size());
  for (const char c : name) text_.push_back(lower(c));
  text_.append(value);
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

bool Headers::remove(std::string_view name) {
  const auto removed = std::erase_if(fields_, [&](const Entry& entry) {
    return equals_ignoring_case(std::string_view(text_).substr(entry.name_at, entry.name_size), name);
  });
  return removed > 0;
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Entry& entry : fields_) {
    const std::string_view text = text_;
    if (text.substr(entry.name_at, entry.name_size) == name) {
      return text.substr(entry.name_at + entry.name_size, entry.value_size);
    }
  }
  return std::nullopt;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  bool found = false;
  for (std::size_t i = 0; i < size(); ++i) {
    if (at(i).name != name) continue;
    for_each_token(at(i).value, [&](std::string_view t) { found = found || equals_ignoring_case(t, token); });
  }
  return found;
}

Headers::Field Headers::at(std::size_t index) const {
  const Entry& entry = fields_[index];
  const std::string_view text = text_;
  return {text.substr(entry.name_at, entry.name_size),
          text.substr(entry.name_at + entry.name_size, entry.value_size)};
}

void remove_hop_by_hop(Headers& headers) {
  std::vector<std::string> named;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (headers.at(i).name != "connection") continue;
    for_each_token(headers.at(i).value, [&](std::string_view token) { named.emplace_back(token); });
  }
  for (const std::string& name : named) headers.remove(name);
  for (const std::string_view name :
       {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}) {
    headers.remove(name);
  }
}

std::string canonical_name(std::string_view name) {
  std::string out(name);
  bool start = true;
  for (char& c : out) {
    c = start ? upper(c) : lower(c);
    start = c == '-';
  }
  return out;
}

}  // namespace towline::http
