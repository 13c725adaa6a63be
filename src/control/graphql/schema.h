#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/status.h"
#include "control/graphql/type_ref.h"
#include "control/graphql/value.h"

namespace towline::control::graphql {

struct Execution;

/// A field that is asked for, as its resolver sees it.
struct Call {
  Execution& in;
  const Node& parent;
  const boost::json::object& arguments;  // by their types, defaults filled in

  template <typename T>
  const T& of() const {
    return parent.as<T>();
  }
  /// Empty when it is absent or null.
  std::string text(std::string_view argument) const;
  std::optional<std::int64_t> number(std::string_view argument) const;
};

/// Gives the value of a field. A failure becomes an entry of "errors" and the field null.
using Resolver = Result<Value> (*)(Call&);

struct InputValue {
  std::string name;
  TypeRef type;
  std::string description;
  std::optional<boost::json::value> otherwise = {};  // scalars only, no enums

  bool required() const { return type.is_non_null() && !otherwise; }
};

struct Field {
  std::string name;
  TypeRef type;
  std::string description;
  Resolver resolve = nullptr;
  std::vector<InputValue> arguments = {};

  const InputValue* argument(std::string_view wanted) const;
};

struct EnumValue {
  std::string name;
  std::string description;
};

struct Type {
  enum class Kind { kScalar, kObject, kInput, kEnum };
  Kind kind = Kind::kObject;
  std::string name;
  std::string description;
  std::vector<Field> fields = {};       // of an object
  std::vector<InputValue> inputs = {};  // of an input object
  std::vector<EnumValue> values = {};   // of an enum

  bool is_leaf() const { return kind == Kind::kScalar || kind == Kind::kEnum; }
  bool is_input() const { return kind != Kind::kObject; }
  const InputValue* input(std::string_view wanted) const;
};

struct DirectiveType {
  std::string name;
  std::string description;
  std::vector<InputValue> arguments;
};

/// The types that requests may name. Made once, then read by many threads. The roots are the types "Query"
/// and "Mutation"; the scalars of the specification and the types of introspection are in it from the
/// beginning.
class Schema {
 public:
  Schema();
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  void add(Type type);
  /// XConnection and XEdge for the object type X; a field of such a type gives what connect() makes.
  void add_connection(const std::string& node);

  /// Null when there is none.
  const Type* find(std::string_view name) const;
  const Type& root(bool mutation) const { return *find(mutation ? "Mutation" : "Query"); }
  /// The field of an object type, those included that introspection adds. Null when there is none.
  const Field* field(const Type& type, std::string_view name) const;
  const std::map<std::string, Type, std::less<>>& types() const { return types_; }
  const std::vector<DirectiveType>& directives() const { return directives_; }

 private:
  std::map<std::string, Type, std::less<>> types_;
  std::vector<DirectiveType> directives_;
  std::vector<Field> root_fields_;  // __schema and __type
  Field type_name_;
};

/// Types and fields of introspection.
std::vector<Type> introspection_types();
std::vector<Field> introspection_fields();

}  // namespace towline::control::graphql
