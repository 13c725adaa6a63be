#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>

#include "control/graphql/type_ref.h"

namespace towline::control::graphql {

/// A place in the text of a request, both counted from 1; columns are characters.
struct Location {
  int line = 1;
  int column = 1;
  friend bool operator==(const Location&, const Location&) = default;
};

/// One entry of "errors" in an answer.
struct Problem {
  std::string message;
  std::vector<Location> locations = {};
  boost::json::array path = {};  // of the field in the answer, where there is one
};

template <typename T>
using Checked = std::expected<T, Problem>;

struct Argument;

/// A value as the request writes it.
struct Literal {
  enum class Kind { kVariable, kInt, kFloat, kString, kBoolean, kNull, kEnum, kList, kObject };
  Kind kind = Kind::kNull;
  std::string
      text;  // the variable's name, the number as written, the string decoded, "true", the enum's name
  std::vector<Literal> items;    // of a list
  std::vector<Argument> fields;  // of an object
  Location at;
};

struct Argument {
  std::string name;
  Literal value;
  Location at;
};

struct Directive {
  std::string name;
  std::vector<Argument> arguments;
  Location at;
};

struct Selection {
  enum class Kind { kField, kSpread, kInline };
  Kind kind = Kind::kField;
  std::string alias;      // of a field; empty when it has none
  std::string name;       // of the field or the fragment
  std::string condition;  // the type of an inline fragment; may be empty
  std::vector<Argument> arguments;
  std::vector<Directive> directives;
  std::vector<Selection> selections;
  Location at;

  /// Under which the field's value stands in the answer.
  const std::string& key() const { return alias.empty() ? name : alias; }
};

struct Variable {
  std::string name;
  TypeRef type;
  std::optional<Literal> otherwise;
  std::vector<Directive> directives;
  Location at;
};

struct Operation {
  bool mutation = false;
  std::string name;
  std::vector<Variable> variables;
  std::vector<Directive> directives;
  std::vector<Selection> selections;
  Location at;
};

struct Fragment {
  std::string name;
  std::string condition;
  std::vector<Directive> directives;
  std::vector<Selection> selections;
  Location at;
};

struct Document {
  std::vector<Operation> operations;
  std::vector<Fragment> fragments;

  /// Null when there is none.
  const Fragment* fragment(std::string_view name) const {
    for (const Fragment& each : fragments) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }
};

/// What one request may ask for. A server that answers anybody must know beforehand what it costs.
struct Limits {
  std::size_t text = 32 * 1024;  // bytes
  std::size_t tokens = 4000;
  int nesting = 32;  // of selection sets, values and types in the text
  std::size_t fragments = 100;
  int depth = 15;               // fields within fields; what asks for a schema takes as many
  int fields = 1000;            // once fragments stand in their places
  std::int64_t nodes = 10'000;  // fields and items in the answer
};

}  // namespace towline::control::graphql
