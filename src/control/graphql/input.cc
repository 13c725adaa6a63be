#include "control/graphql/input.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <boost/json.hpp>

namespace towline::control::graphql {
namespace {

namespace json = boost::json;
using Coerced = std::expected<json::value, std::string>;
using Kind = Literal::Kind;

std::unexpected<std::string> no(std::string reason) { return std::unexpected(std::move(reason)); }

std::unexpected<std::string> not_a(const TypeRef& type) { return no("is not of type " + type.notation()); }

Coerced coerce_text(const TypeRef& type, const json::value& given) {
  const auto* text = given.if_string();
  if (text == nullptr) return not_a(type);
  // Databases and logs end texts there.
  if (text->find('\0') != json::string::npos) return no("has a character that is not allowed");
  return given;
}

Coerced coerce_int(const TypeRef& type, const json::value& given) {
  const auto* number = given.if_int64();
  using Limit = std::numeric_limits<std::int32_t>;
  if (number == nullptr || *number < Limit::min() || *number > Limit::max()) return not_a(type);
  return given;
}

Coerced coerce_leaf(const Type& leaf, const TypeRef& type, const json::value& given) {
  if (leaf.kind == Type::Kind::kEnum) {
    const auto* text = given.if_string();
    for (const EnumValue& each : leaf.values) {
      if (text != nullptr && *text == each.name) return given;
    }
    return not_a(type);
  }
  if (leaf.name == "Int") return coerce_int(type, given);
  if (leaf.name == "Float") return given.is_number() ? Coerced(given.to_number<double>()) : not_a(type);
  if (leaf.name == "Boolean") return given.is_bool() ? Coerced(given) : not_a(type);
  if (leaf.name == "ID" && given.is_int64()) return json::value(std::to_string(given.get_int64()));
  return coerce_text(type, given);
}

Coerced coerce_object(const Schema& schema, const Type& wanted, const TypeRef& type,
                      const json::value& given) {
  const auto* object = given.if_object();
  if (object == nullptr) return not_a(type);
  for (const auto& entry : *object) {
    if (wanted.input(entry.key()) == nullptr) {
      return no("has a field \"" + std::string(entry.key()) + "\" that " + wanted.name + " does not know");
    }
  }
  json::object made;
  for (const InputValue& each : wanted.inputs) {
    const json::value* value = object->if_contains(each.name);
    if (value == nullptr && each.otherwise) value = &*each.otherwise;
    if (value == nullptr && each.type.is_non_null()) return no("lacks the field \"" + each.name + "\"");
    if (value == nullptr) continue;
    auto coerced = coerce(schema, each.type, *value);
    if (!coerced) return no("has a field \"" + each.name + "\" that " + coerced.error());
    made[each.name] = std::move(*coerced);
  }
  return json::value(std::move(made));
}

Coerced coerce_list(const Schema& schema, const TypeRef& type, const json::value& given) {
  json::array made;
  const json::array single = {given};
  for (const json::value& item : given.is_array() ? given.get_array() : single) {
    auto coerced = coerce(schema, type.inner(), item);
    if (!coerced) return no("has an item that " + coerced.error());
    made.push_back(std::move(*coerced));
  }
  return json::value(std::move(made));
}

json::value number_of(const std::string& text, bool whole) {
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (whole && error == std::errc()) return integer;
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool is_kind(const Literal& literal, std::initializer_list<Kind> kinds) {
  return std::find(kinds.begin(), kinds.end(), literal.kind) != kinds.end();
}

// A literal says of which kind it is, which JSON does not: RED is no text, and "RED" is no enum.
bool kind_fits(const Type& leaf, const Literal& literal) {
  if (leaf.kind == Type::Kind::kEnum) return is_kind(literal, {Kind::kEnum});
  if (leaf.name == "Int") return is_kind(literal, {Kind::kInt});
  if (leaf.name == "Float") return is_kind(literal, {Kind::kInt, Kind::kFloat});
  if (leaf.name == "Boolean") return is_kind(literal, {Kind::kBoolean});
  if (leaf.name == "ID") return is_kind(literal, {Kind::kString, Kind::kInt});
  return is_kind(literal, {Kind::kString});
}

std::string misfit_object(const Schema& schema, const Type& wanted, const TypeRef& type,
                          const Literal& literal) {
  if (literal.kind != Kind::kObject) return "is not of type " + type.notation();
  for (std::size_t i = 0; i < literal.fields.size(); ++i) {
    const Argument& field = literal.fields[i];
    const InputValue* input = wanted.input(field.name);
    if (input == nullptr) return "has a field \"" + field.name + "\" that " + wanted.name + " does not know";
    for (std::size_t j = 0; j < i; ++j) {
      if (literal.fields[j].name == field.name) return "has the field \"" + field.name + "\" twice";
    }
    if (std::string why = misfit(schema, input->type, field.value); !why.empty()) {
      return "has a field \"" + field.name + "\" that " + why;
    }
  }
  for (const InputValue& each : wanted.inputs) {
    const bool given = std::any_of(literal.fields.begin(), literal.fields.end(),
                                   [&](const Argument& field) { return field.name == each.name; });
    if (each.required() && !given) return "lacks the field \"" + each.name + "\"";
  }
  return "";
}

}  // namespace

Coerced coerce(const Schema& schema, const TypeRef& type, const json::value& given) {
  if (given.is_null() && type.is_non_null()) return no("must not be null");
  if (given.is_null()) return given;
  const TypeRef bare = type.nullable();
  if (bare.is_list()) return coerce_list(schema, bare, given);
  const Type* wanted = schema.find(bare.name());
  if (wanted == nullptr) return no("is of the unknown type " + bare.name());
  if (wanted->kind == Type::Kind::kInput) return coerce_object(schema, *wanted, type, given);
  return coerce_leaf(*wanted, type, given);
}

std::optional<json::value> resolve(const Literal& literal, const json::object& variables) {
  switch (literal.kind) {
    case Kind::kVariable: {
      const json::value* value = variables.if_contains(literal.text);
      return value == nullptr ? std::nullopt : std::optional(*value);
    }
    case Kind::kInt:
      return number_of(literal.text, true);
    case Kind::kFloat:
      return number_of(literal.text, false);
    case Kind::kString:
    case Kind::kEnum:
      return json::value(literal.text);
    case Kind::kBoolean:
      return json::value(literal.text == "true");
    case Kind::kNull:
      return json::value(nullptr);
    case Kind::kList: {
      json::array items;
      for (const Literal& item : literal.items) {
        items.push_back(resolve(item, variables).value_or(json::value(nullptr)));
      }
      return json::value(std::move(items));
    }
    case Kind::kObject: {
      json::object made;
      for (const Argument& field : literal.fields) {
        if (auto value = resolve(field.value, variables)) made[field.name] = std::move(*value);
      }
      return json::value(std::move(made));
    }
  }
  return std::nullopt;
}

std::string misfit(const Schema& schema, const TypeRef& type, const Literal& literal) {
  if (literal.kind == Kind::kVariable) return "";
  if (literal.kind == Kind::kNull) return type.is_non_null() ? "must not be null" : "";
  const TypeRef bare = type.nullable();
  if (bare.is_list()) {
    if (literal.kind != Kind::kList) return misfit(schema, bare.inner(), literal);
    for (const Literal& item : literal.items) {
      if (std::string why = misfit(schema, bare.inner(), item); !why.empty())
        return "has an item that " + why;
    }
    return "";
  }
  const Type* wanted = schema.find(bare.name());
  if (wanted == nullptr) return "is of the unknown type " + bare.name();
  if (wanted->kind == Type::Kind::kInput) return misfit_object(schema, *wanted, type, literal);
  if (!kind_fits(*wanted, literal)) return "is not of type " + type.notation();
  const auto coerced = coerce_leaf(*wanted, type, resolve(literal, {}).value());
  return coerced ? "" : coerced.error();
}

Checked<json::object> coerce_variables(const Schema& schema, const Operation& operation,
                                       const json::object& given) {
  json::object made;
  for (const Variable& variable : operation.variables) {
    std::optional<json::value> value;
    if (const json::value* found = given.if_contains(variable.name)) value = *found;
    if (!value && variable.otherwise) value = resolve(*variable.otherwise, {});
    const auto refuse = [&](const std::string& why) {
      return std::unexpected(
          Problem{.message = "Variable $" + variable.name + " " + why, .locations = {variable.at}});
    };
    if (!value && variable.type.is_non_null())
      return refuse("of type " + variable.type.notation() + " is missing");
    if (!value) continue;
    auto coerced = coerce(schema, variable.type, *value);
    if (!coerced) return refuse(coerced.error());
    made[variable.name] = std::move(*coerced);
  }
  return made;
}

std::expected<json::object, std::string> coerce_arguments(const Schema& schema,
                                                          const std::vector<InputValue>& defined,
                                                          const std::vector<Argument>& given,
                                                          const json::object& variables) {
  json::object made;
  for (const InputValue& each : defined) {
    std::optional<json::value> value;
    for (const Argument& argument : given) {
      if (argument.name == each.name) value = resolve(argument.value, variables);
    }
    if (!value) value = each.otherwise;
    if (!value && each.type.is_non_null()) return no("Argument \"" + each.name + "\" is missing");
    if (!value) continue;
    auto coerced = coerce(schema, each.type, *value);
    if (!coerced) return no("Argument \"" + each.name + "\" " + coerced.error());
    made[each.name] = std::move(*coerced);
  }
  return made;
}

}  // namespace towline::control::graphql
