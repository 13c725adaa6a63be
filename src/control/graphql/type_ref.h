#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace towline::control::graphql {

/// A type as a field, argument or variable names it: "[ID!]!". Values.
class TypeRef {
 public:
  TypeRef() = default;
  /// From the notation of the specification, which must be right.
  TypeRef(const char* notation) : TypeRef(std::string_view(notation)) {}  // NOLINT: tables are written so
  explicit TypeRef(std::string_view notation) {
    const auto first = notation.find_first_not_of('[');
    const auto behind = std::min(notation.find_first_of("]!", first), notation.size());
    name_ = notation.substr(first, behind - first);
    for (const char c : notation.substr(behind)) wrappers_.insert(0, 1, c == ']' ? '[' : c);
  }
  /// The innermost type bare.
  static TypeRef named(std::string name) {
    TypeRef type;
    type.name_ = std::move(name);
    return type;
  }
  TypeRef list() const { return wrapped('['); }
  TypeRef non_null() const { return wrapped('!'); }

  const std::string& name() const { return name_; }
  bool is_non_null() const { return wrappers_.starts_with('!'); }
  bool is_list() const { return wrappers_.starts_with('['); }
  bool is_named() const { return wrappers_.empty(); }
  /// Without the outermost "!" or "[]"; of a bare name itself.
  TypeRef inner() const {
    TypeRef type = *this;
    if (!type.wrappers_.empty()) type.wrappers_.erase(0, 1);
    return type;
  }
  TypeRef nullable() const { return is_non_null() ? inner() : *this; }

  std::string notation() const {
    std::string text = name_;
    for (auto wrapper = wrappers_.rbegin(); wrapper != wrappers_.rend(); ++wrapper) {
      text = *wrapper == '[' ? "[" + text + "]" : text + "!";
    }
    return text;
  }
  friend bool operator==(const TypeRef&, const TypeRef&) = default;

 private:
  TypeRef wrapped(char by) const {
    TypeRef type = *this;
    type.wrappers_.insert(0, 1, by);
    return type;
  }

  std::string name_;
  std::string wrappers_;  // the outermost first, '!' and '['
};

}  // namespace towline::control::graphql
