// What a schema says of itself (specification of October 2021, section 4).
#include <boost/json.hpp>

#include "control/graphql/execution.h"
#include "control/graphql/schema.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;

Value text_or_null(const std::string& text) { return text.empty() ? Value(nullptr) : Value(text); }

// Records of the schema live as long as it does.
template <typename T>
Value::List nodes_of(const std::vector<T>& all) {
  Value::List nodes;
  for (const T& each : all) nodes.emplace_back(Node::of(&each));
  return nodes;
}

template <typename T>
const T& record(const Call& call) {
  return *call.of<const T*>();
}

template <typename T>
Result<Value> name_of(Call& call) {
  return record<T>(call).name;
}
template <typename T>
Result<Value> description_of(Call& call) {
  return text_or_null(record<T>(call).description);
}
template <typename T>
Result<Value> type_of(Call& call) {
  return Node::of(record<T>(call).type);
}
template <typename T>
Result<Value> arguments_of(Call& call) {
  return nodes_of(record<T>(call).arguments);
}

Result<Value> nothing(Call&) { return nullptr; }
Result<Value> no(Call&) { return false; }

// The type a reference names, null for a list or a "!".
const Type* bare(const Call& call) {
  const auto& type = call.of<TypeRef>();
  return type.is_named() ? call.in.schema.find(type.name()) : nullptr;
}

Result<Value> kind_of(Call& call) {
  const Type* type = bare(call);
  if (type == nullptr) return call.of<TypeRef>().is_list() ? "LIST" : "NON_NULL";
  switch (type->kind) {
    case Type::Kind::kScalar:
      return "SCALAR";
    case Type::Kind::kObject:
      return "OBJECT";
    case Type::Kind::kInput:
      return "INPUT_OBJECT";
    case Type::Kind::kEnum:
      return "ENUM";
  }
  return nullptr;
}

template <Type::Kind kind, auto list>
Result<Value> list_of(Call& call) {
  const Type* type = bare(call);
  return type == nullptr || type->kind != kind ? Value(nullptr) : Value(nodes_of(type->*list));
}

const std::vector<InputValue> kDeprecated = {
    {"includeDeprecated", "Boolean", "Those included that should not be used", json::value(false)}};

Type type_type() {
  return {.name = "__Type",
          .description = "A type",
          .fields = {
              {"kind", "__TypeKind!", "", kind_of},
              {"name", "String", "",
               [](Call& c) -> Result<Value> {
                 return bare(c) == nullptr ? Value(nullptr) : Value(bare(c)->name);
               }},
              {"description", "String", "",
               [](Call& c) -> Result<Value> {
                 return bare(c) == nullptr ? Value(nullptr) : text_or_null(bare(c)->description);
               }},
              {"specifiedByURL", "String", "", nothing},
              {"fields", "[__Field!]", "", list_of<Type::Kind::kObject, &Type::fields>, kDeprecated},
              {"interfaces", "[__Type!]", "",
               [](Call& c) -> Result<Value> {
                 const bool object = bare(c) != nullptr && bare(c)->kind == Type::Kind::kObject;
                 return object ? Value(Value::List()) : Value(nullptr);
               }},
              {"possibleTypes", "[__Type!]", "", nothing},
              {"enumValues", "[__EnumValue!]", "", list_of<Type::Kind::kEnum, &Type::values>, kDeprecated},
              {"inputFields", "[__InputValue!]", "", list_of<Type::Kind::kInput, &Type::inputs>, kDeprecated},
              {"ofType", "__Type", "", [](Call& c) -> Result<Value> {
                 if (bare(c) != nullptr) return nullptr;
                 return Node::of(c.of<TypeRef>().inner());
               }}}};
}

Type field_type() {
  return {.name = "__Field",
          .description = "A field of an object type",
          .fields = {{"name", "String!", "", name_of<Field>},
                     {"description", "String", "", description_of<Field>},
                     {"args", "[__InputValue!]!", "", arguments_of<Field>, kDeprecated},
                     {"type", "__Type!", "", type_of<Field>},
                     {"isDeprecated", "Boolean!", "", no},
                     {"deprecationReason", "String", "", nothing}}};
}

Type input_value_type() {
  return {.name = "__InputValue",
          .description = "An argument, or a field of an input object",
          .fields = {{"name", "String!", "", name_of<InputValue>},
                     {"description", "String", "", description_of<InputValue>},
                     {"type", "__Type!", "", type_of<InputValue>},
                     {"defaultValue", "String", "",
                      [](Call& c) -> Result<Value> {
                        const auto& otherwise = record<InputValue>(c).otherwise;
                        return otherwise ? Value(json::serialize(*otherwise)) : Value(nullptr);
                      }},
                     {"isDeprecated", "Boolean!", "", no},
                     {"deprecationReason", "String", "", nothing}}};
}

Type enum_value_type() {
  return {.name = "__EnumValue",
          .description = "A value of an enum",
          .fields = {{"name", "String!", "", name_of<EnumValue>},
                     {"description", "String", "", description_of<EnumValue>},
                     {"isDeprecated", "Boolean!", "", no},
                     {"deprecationReason", "String", "", nothing}}};
}

Type directive_type() {
  return {.name = "__Directive",
          .description = "A directive",
          .fields = {{"name", "String!", "", name_of<DirectiveType>},
                     {"description", "String", "", description_of<DirectiveType>},
                     {"locations", "[__DirectiveLocation!]!", "",
                      [](Call&) -> Result<Value> {
                        return Value::List{"FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"};
                      }},
                     {"args", "[__InputValue!]!", "", arguments_of<DirectiveType>, kDeprecated},
                     {"isRepeatable", "Boolean!", "", no}}};
}

Type schema_type() {
  return {.name = "__Schema",
          .description = "What can be asked",
          .fields = {
              {"description", "String", "", nothing},
              {"types", "[__Type!]!", "",
               [](Call& c) -> Result<Value> {
                 Value::List types;
                 for (const auto& [name, type] : c.in.schema.types()) {
                   types.emplace_back(Node::of(TypeRef::named(name)));
                 }
                 return types;
               }},
              {"queryType", "__Type!", "", [](Call&) -> Result<Value> { return Node::of(TypeRef("Query")); }},
              {"mutationType", "__Type", "",
               [](Call& c) -> Result<Value> {
                 const bool any = c.in.schema.find("Mutation") != nullptr;
                 return any ? Value(Node::of(TypeRef("Mutation"))) : Value(nullptr);
               }},
              {"subscriptionType", "__Type", "", nothing},
              {"directives", "[__Directive!]!", "",
               [](Call& c) -> Result<Value> { return nodes_of(c.in.schema.directives()); }}}};
}

Type enum_of(const char* name, const char* description, std::initializer_list<const char*> values) {
  Type type{.kind = Type::Kind::kEnum, .name = name, .description = description};
  for (const char* value : values) type.values.push_back({value, ""});
  return type;
}

}  // namespace

std::vector<Type> introspection_types() {
  return {schema_type(),
          type_type(),
          field_type(),
          input_value_type(),
          enum_value_type(),
          directive_type(),
          enum_of("__TypeKind", "Kinds of types",
                  {"SCALAR", "OBJECT", "INTERFACE", "UNION", "ENUM", "INPUT_OBJECT", "LIST", "NON_NULL"}),
          enum_of("__DirectiveLocation", "Where a directive may stand",
                  {"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD",
                   "INLINE_FRAGMENT", "VARIABLE_DEFINITION", "SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION",
                   "ARGUMENT_DEFINITION", "INTERFACE", "UNION", "ENUM", "ENUM_VALUE", "INPUT_OBJECT",
                   "INPUT_FIELD_DEFINITION"})};
}

std::vector<Field> introspection_fields() {
  return {{"__schema", "__Schema!", "What can be asked", [](Call&) -> Result<Value> { return Node::of(0); }},
          {"__type",
           "__Type",
           "A type by its name",
           [](Call& c) -> Result<Value> {
             const std::string name = c.text("name");
             return c.in.schema.find(name) == nullptr ? Value(nullptr)
                                                      : Value(Node::of(TypeRef::named(name)));
           },
           {{"name", "String!", ""}}}};
}

}  // namespace towline::control::graphql
