#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/status.h"
#include "control/store/records.h"
#include "http/simple.h"

namespace towline::control::api {

/// The parameters of a request: those of the query and those of the body (JSON or form), which win. A getter
/// that cannot give what is asked for notes why and returns a default, so that a handler reads all it needs
/// and then looks at check() once.
class Params {
 public:
  /// INVALID_ARGUMENT for a body that is neither a JSON object nor a form.
  static Result<Params> parse(const http::Request& request);

  bool has(std::string_view name) const;
  /// A text that must be given and not be empty.
  std::string text(std::string_view name);
  std::string text_or(std::string_view name, std::string otherwise);
  /// Any bytes a JSON or form text can carry, for file contents.
  std::optional<std::string> bytes(std::string_view name);
  std::int64_t number(std::string_view name);
  std::int64_t number_or(std::string_view name, std::int64_t otherwise);
  bool flag(std::string_view name, bool otherwise = false);
  /// A list, given as a JSON array, as name[]=a&name[]=b or as one text.
  std::vector<std::string> texts(std::string_view name);
  /// A list of objects.
  std::vector<Params> objects(std::string_view name);
  /// Whatever was given under the name; null for nothing, and for JSON's null.
  const boost::json::value* find(std::string_view name) const;
  /// page and per_page; the latter is cut to 100.
  Page page();

  /// INVALID_ARGUMENT naming the first parameter that was missing or bad.
  Status check() const { return problem_; }
  void refuse(std::string message);

 private:
  std::optional<std::string> as_text(std::string_view name);

  boost::json::object values_;
  Status problem_;
};

}  // namespace towline::control::api
