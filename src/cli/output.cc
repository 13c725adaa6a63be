#include "cli/output.h"

#include <algorithm>
#include <ostream>

#include <boost/json/serialize.hpp>

#include "base/unicode.h"

namespace towline::cli {
namespace {

// Columns of the terminal, as far as counting code points gets it right.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string printable(std::string_view text, bool lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_character(text);
    const bool wanted = lines && next.code == '\n';
    const bool wrong = next.code >= 0x80 && next.size == 1;
    if (!wanted && (wrong || acts_on_display(next.code))) {
      out.push_back('?');
    } else {
      out.append(text.substr(0, next.size));
    }
    text.remove_prefix(next.size);
  }
  return out;
}

// JSON lets controls beyond ASCII stand in strings as they are; a terminal acts on them all the same.
void Output::document(const boost::json::value& value) {
  const std::string text = boost::json::serialize(value);
  std::string out;
  for (std::string_view left = text; !left.empty();) {
    const Character next = first_character(left);
    if (next.code >= 0x80 && acts_on_display(next.code)) {
      append_json_escape(out, next.code);
    } else {
      out.append(left.substr(0, next.size));
    }
    left.remove_prefix(next.size);
  }
  results_ << out << '\n';
}

void Output::table(const std::vector<std::string>& headings,
                   const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines{headings};
  for (const auto& row : rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(cell.empty() ? "-" : printable(cell));
  }
  std::vector<std::size_t> widths(headings.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      results_ << line[i] << (last ? "\n" : std::string(widths[i] - width(line[i]) + 2, ' '));
    }
  }
}

void Output::line(std::string_view text) { results_ << printable(text, true) << '\n'; }
void Output::note(std::string_view text) { notes_ << printable(text, true) << '\n'; }
bool Output::flush() { return static_cast<bool>(results_.flush()); }

}  // namespace towline::cli
