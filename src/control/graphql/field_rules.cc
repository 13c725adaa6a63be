#include <algorithm>
#include <set>
#include <utility>

#include "control/graphql/input.h"
#include "control/graphql/validation.h"

namespace towline::control::graphql {
namespace {

std::string quoted(const std::string& name) { return "\"" + name + "\""; }

// Whether a value of one type is always one of the other.
bool fits(const TypeRef& from, const TypeRef& to) {
  if (to.is_non_null()) return from.is_non_null() && fits(from.inner(), to.inner());
  if (from.is_non_null()) return fits(from.inner(), to);
  if (to.is_list()) return from.is_list() && fits(from.inner(), to.inner());
  return !from.is_list() && from.name() == to.name();
}

class FieldRules {
 public:
  FieldRules(const Schema& schema, const Document& document, const Operation& operation)
      : schema_(schema), document_(document), operation_(operation) {}

  std::vector<Problem> check() {
    variables();
    directives(operation_.directives, false);
    walk(operation_.selections, schema_.root(operation_.mutation));
    // Each fragment once, and not from within another, however they are nested.
    while (!waiting_.empty()) {
      const Fragment* next = waiting_.back();
      waiting_.pop_back();
      directives(next->directives, false);
      walk(next->selections, *schema_.find(next->condition));
    }
    return std::move(problems_);
  }

 private:
  void refuse(std::string message, Location at) { problems_.push_back({std::move(message), {at}}); }

  const Variable* variable(const std::string& name) const {
    for (const Variable& each : operation_.variables) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }

  void variables() {
    for (const Variable& each : operation_.variables) {
      const std::string named = "Variable $" + each.name;
      if (variable(each.name) != &each) refuse(named + " is declared twice", each.at);
      const Type* type = schema_.find(each.type.name());
      if (type == nullptr || !type->is_input()) {
        refuse(named + " has the type " + quoted(each.type.name()) + ", which is no input type", each.at);
        continue;
      }
      directives(each.directives, false);
      if (!each.otherwise) continue;
      const std::string why = misfit(schema_, each.type, *each.otherwise);
      if (!why.empty()) refuse("The default of variable $" + each.name + " " + why, each.otherwise->at);
    }
  }

  void walk(const std::vector<Selection>& selections, const Type& parent) {
    for (const Selection& each : selections) {
      directives(each.directives, true);
      switch (each.kind) {
        case Selection::Kind::kField:
          field(each, parent);
          break;
        case Selection::Kind::kInline:
          if (condition(each.condition, parent, each.at)) walk(each.selections, parent);
          break;
        case Selection::Kind::kSpread: {
          const Fragment* fragment = document_.fragment(each.name);
          condition(fragment->condition, parent, each.at);
          if (visited_.insert(fragment).second) waiting_.push_back(fragment);
        }
      }
    }
  }

  // Objects are of their one type only.
  bool condition(const std::string& wanted, const Type& parent, Location at) {
    if (wanted.empty() || wanted == parent.name) return true;
    const Type* type = schema_.find(wanted);
    if (type == nullptr || type->kind != Type::Kind::kObject) {
      refuse("There is no object type " + quoted(wanted), at);
    } else {
      refuse("A " + parent.name + " is never a " + wanted, at);
    }
    return false;
  }

  void field(const Selection& selection, const Type& parent) {
    const Field* field = schema_.field(parent, selection.name);
    if (field == nullptr) {
      return refuse("Field " + quoted(selection.name) + " does not exist on type " + quoted(parent.name),
                    selection.at);
    }
    arguments("Field " + quoted(selection.name), field->arguments, selection.arguments, selection.at);
    const Type& type = *schema_.find(field->type.name());
    if (type.is_leaf()) {
      if (!selection.selections.empty()) {
        refuse("Field " + quoted(selection.name) + " of type " + type.name + " has no fields", selection.at);
      }
    } else if (selection.selections.empty()) {
      refuse("Field " + quoted(selection.name) + " of type " + type.name + " needs a choice of fields",
             selection.at);
    } else {
      walk(selection.selections, type);
    }
  }

  void arguments(const std::string& what, const std::vector<InputValue>& defined,
                 const std::vector<Argument>& given, Location at) {
    std::set<std::string> names;
    for (const Argument& each : given) {
      if (!names.insert(each.name).second)
        refuse(what + " has argument " + quoted(each.name) + " twice", each.at);
      const auto found = std::find_if(defined.begin(), defined.end(),
                                      [&](const InputValue& one) { return one.name == each.name; });
      if (found == defined.end()) {
        refuse(what + " has no argument " + quoted(each.name), each.at);
        continue;
      }
      const std::string why = misfit(schema_, found->type, each.value);
      if (!why.empty()) refuse("Argument " + quoted(each.name) + " " + why, each.value.at);
      uses(each.value, *found);
    }
    for (const InputValue& each : defined) {
      if (each.required() && !names.contains(each.name)) {
        refuse(what + " needs the argument " + quoted(each.name) + " of type " + each.type.notation(), at);
      }
    }
  }

  // Variables in a value exist and are of types that fit their places.
  void uses(const Literal& literal, const InputValue& place) {
    use(literal, place.type, place.otherwise.has_value());
  }
  void use(const Literal& literal, const TypeRef& type, bool has_default) {
    if (literal.kind == Literal::Kind::kVariable) return use_variable(literal, type, has_default);
    const TypeRef bare = type.nullable();
    for (const Literal& item : literal.items) use(item, bare.is_list() ? bare.inner() : bare, false);
    const Type* input = schema_.find(bare.name());
    for (const Argument& field : literal.fields) {
      const InputValue* known = input == nullptr ? nullptr : input->input(field.name);
      if (known != nullptr) uses(field.value, *known);
    }
  }
  void use_variable(const Literal& literal, const TypeRef& place, bool place_has_default) {
    const Variable* used = variable(literal.text);
    if (used == nullptr) return refuse("Variable $" + literal.text + " is not declared", literal.at);
    const bool has_value = used->otherwise && used->otherwise->kind != Literal::Kind::kNull;
    const bool filled_in = !used->type.is_non_null() && (has_value || place_has_default);
    if (fits(used->type, filled_in ? place.nullable() : place)) return;
    refuse("Variable $" + literal.text + " of type " + used->type.notation() + " is used where " +
               place.notation() + " is expected",
           literal.at);
  }

  void directives(const std::vector<Directive>& given, bool in_selection) {
    std::set<std::string> names;
    for (const Directive& each : given) {
      const auto& known = schema_.directives();
      const auto found = std::find_if(known.begin(), known.end(),
                                      [&](const DirectiveType& one) { return one.name == each.name; });
      const std::string what = "Directive @" + each.name;
      if (found == known.end()) {
        refuse(what + " does not exist", each.at);
        continue;
      }
      if (!in_selection) refuse(what + " is out of place here", each.at);
      if (!names.insert(each.name).second) refuse(what + " stands here twice", each.at);
      arguments(what, found->arguments, each.arguments, each.at);
    }
  }

  const Schema& schema_;
  const Document& document_;
  const Operation& operation_;
  std::set<const Fragment*> visited_;
  std::vector<const Fragment*> waiting_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> validate_fields(const Schema& schema, const Document& document,
                                     const Operation& operation) {
  return FieldRules(schema, document, operation).check();
}

}  // namespace towline::control::graphql
