#include "control/graphql/schema.h"

#include <algorithm>

#include "control/graphql/connection.h"

namespace towline::control::graphql {
namespace {

template <typename T>
const T* find_in(const std::vector<T>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const T& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Type scalar(const char* name, const char* description) {
  return {.kind = Type::Kind::kScalar, .name = name, .description = description};
}

}  // namespace

std::string Call::text(std::string_view argument) const {
  const auto* value = arguments.if_contains(argument);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? "" : std::string(*text);
}

std::optional<std::int64_t> Call::number(std::string_view argument) const {
  const auto* value = arguments.if_contains(argument);
  const auto* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? std::nullopt : std::optional(*number);
}

const InputValue* Field::argument(std::string_view wanted) const { return find_in(arguments, wanted); }
const InputValue* Type::input(std::string_view wanted) const { return find_in(inputs, wanted); }

Schema::Schema()
    : root_fields_(introspection_fields()),
      type_name_{.name = "__typename", .type = "String!", .description = "The name of the object's type"} {
  add(scalar("ID", "Names one object"));
  add(scalar("String", "Text"));
  add(scalar("Int", "A whole number of 32 bits"));
  add(scalar("Float", "A number"));
  add(scalar("Boolean", "True or false"));
  for (Type& type : introspection_types()) add(std::move(type));
  add(page_info_type());
  const std::vector<InputValue> condition = {{"if", "Boolean!", "The condition"}};
  directives_.push_back({"include", "Only where the condition is true", condition});
  directives_.push_back({"skip", "Only where the condition is false", condition});
}

void Schema::add(Type type) {
  std::string name = type.name;
  types_.insert_or_assign(std::move(name), std::move(type));
}

void Schema::add_connection(const std::string& node) {
  add(edge_type(node));
  add(connection_type(node));
}

const Type* Schema::find(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

const Field* Schema::field(const Type& type, std::string_view name) const {
  if (const Field* own = find_in(type.fields, name)) return own;
  if (name == type_name_.name) return &type_name_;
  return type.name == "Query" ? find_in(root_fields_, name) : nullptr;
}

}  // namespace towline::control::graphql
