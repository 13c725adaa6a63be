#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

namespace towline::cli {

/// What a command says: results on one stream, as a table or as JSON; notes for people on the other.
class Output {
 public:
  Output(std::ostream& results, std::ostream& notes) : results_(results), notes_(notes) {}

  void use_json(bool json) { json_ = json; }
  bool json() const { return json_; }

  /// One JSON document.
  void document(const boost::json::value& value);
  /// Columns as wide as their widest cell; control characters become '?'.
  void table(const std::vector<std::string>& headings, const std::vector<std::vector<std::string>>& rows);
  void line(std::string_view text);
  /// For the person at the terminal, never part of the result.
  void note(std::string_view text);
  /// Where results go, for libraries that write by themselves.
  std::ostream& results() { return results_; }
  /// Whether all of the results have been written.
  bool flush();

 private:
  std::ostream& results_;
  std::ostream& notes_;
  bool json_ = false;
};

/// `text` with control characters, which could move a terminal's cursor, as '?'. Line breaks stay if `lines`.
std::string printable(std::string_view text, bool lines = false);

}  // namespace towline::cli
