#include "cli/output.h"

#include <algorithm>
#include <ostream>

#include <boost/json/serialize.hpp>

namespace towline::cli {
namespace {

// Columns of the terminal, as far as counting code points gets it right.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string printable(std::string_view text, bool lines) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    // U+0080 to U+009F are control characters too: C2 80 to C2 9F.
    const bool c1 = byte >= 0x80 && byte < 0xA0 && i > 0 && static_cast<unsigned char>(out[i - 1]) == 0xC2;
    if (c1) out[i - 1] = '?';
    if ((byte < 0x20 || byte == 0x7F || c1) && !(lines && byte == '\n')) out[i] = '?';
  }
  return out;
}

void Output::document(const boost::json::value& value) { results_ << boost::json::serialize(value) << '\n'; }

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
