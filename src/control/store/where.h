#pragma once

#include <string>
#include <utility>
#include <vector>

#include "control/store/query.h"

namespace towline::control {

/// The conditions of a list, joined by AND, with the values that they name. Only what is asked for becomes
/// part of the statement: SQLite cannot use an index behind ":space = 0 OR parent_id = :space".
class Where {
 public:
  Where& add(const std::string& condition) {
    text_ += (text_.empty() ? "WHERE " : "AND ") + condition + " ";
    return *this;
  }
  Where& number(const char* name, std::int64_t value) {
    numbers_.emplace_back(name, value);
    return *this;
  }
  Where& text(const char* name, std::string value) {
    texts_.emplace_back(name, std::move(value));
    return *this;
  }

  const std::string& text() const { return text_; }
  Query& bind(Query& query) const {
    for (const auto& [name, value] : numbers_) query.with(name, value);
    for (const auto& [name, value] : texts_) query.with(name, value);
    return query;
  }

 private:
  std::string text_;
  std::vector<std::pair<const char*, std::int64_t>> numbers_;
  std::vector<std::pair<const char*, std::string>> texts_;
};

}  // namespace towline::control
