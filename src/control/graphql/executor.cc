#include <algorithm>
#include <utility>

#include <boost/json.hpp>

#include "control/domain/usage.h"
#include "control/graphql/execution.h"
#include "control/graphql/input.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;

// An answer holds no more: beyond that all say the same.
constexpr std::size_t kMaxProblems = 100;

// Where in the answer a field stands; a chain through the callers.
struct Path {
  const Path* above = nullptr;
  json::value step;
};

json::array path_of(const Path* path) {
  json::array steps;
  for (; path != nullptr; path = path->above) steps.insert(steps.begin(), path->step);
  return steps;
}

class Executor {
 public:
  Executor(Execution& in, const Document& document, const json::object& variables)
      : in_(in), document_(document), variables_(variables) {}

  Outcome run(const Operation& operation) {
    const Type& root = in_.schema.root(operation.mutation);
    auto data = object(root, Node(), {&operation.selections}, nullptr);
    return {.data = data ? std::move(*data) : json::value(nullptr), .problems = std::move(problems_)};
  }

 private:
  // No value: null where it may not be, so that what holds it becomes null in its place.
  using Completed = std::optional<json::value>;
  using Sets = std::vector<const std::vector<Selection>*>;
  struct Asked {
    std::string_view key;
    std::vector<const Selection*> fields;  // that share the key, and so are the same field
  };

  Completed object(const Type& type, const Node& node, const Sets& sets, const Path* path) {
    std::vector<Asked> fields;
    std::vector<const Fragment*> visited;
    for (const auto* set : sets) collect(*set, fields, visited);
    json::object made;
    for (const Asked& each : fields) {
      const Path below{path, json::value(each.key)};
      Completed value = field(type, node, each, &below);
      if (!value) return std::nullopt;
      made.emplace(each.key, std::move(*value));
    }
    return json::value(std::move(made));
  }

  void collect(const std::vector<Selection>& selections, std::vector<Asked>& fields,
               std::vector<const Fragment*>& visited) {
    for (const Selection& each : selections) {
      if (!wanted(each)) continue;
      if (each.kind == Selection::Kind::kInline) {
        collect(each.selections, fields, visited);
      } else if (each.kind == Selection::Kind::kSpread) {
        const Fragment* fragment = document_.fragment(each.name);
        if (std::find(visited.begin(), visited.end(), fragment) != visited.end()) continue;
        visited.push_back(fragment);
        collect(fragment->selections, fields, visited);
      } else {
        const auto known = std::find_if(fields.begin(), fields.end(),
                                        [&](const Asked& asked) { return asked.key == each.key(); });
        (known == fields.end() ? fields.emplace_back(Asked{each.key(), {}}) : *known).fields.push_back(&each);
      }
    }
  }

  bool wanted(const Selection& selection) const {
    for (const Directive& each : selection.directives) {
      const auto condition = resolve(each.arguments.front().value, variables_);
      const bool holds = condition && condition->is_bool() && condition->get_bool();
      if (holds != (each.name == "include")) return false;
    }
    return true;
  }

  Completed field(const Type& type, const Node& node, const Asked& asked, const Path* path) {
    const Selection& first = *asked.fields.front();
    const Field& field = *in_.schema.field(type, first.name);
    if (!in_.spend(1)) return exhausted(field.type, first, path);
    if (field.resolve == nullptr) return json::value(type.name);  // __typename
    auto arguments = coerce_arguments(in_.schema, field.arguments, first.arguments, variables_);
    if (!arguments) return failed(field.type, arguments.error(), first, path);
    Call call{in_, node, *arguments};
    const auto value = field.resolve(call);
    if (!value) return failed(field.type, message(value.error(), first), first, path);
    Sets sets;
    for (const Selection* each : asked.fields) sets.push_back(&each->selections);
    return complete(field.type, *value, sets, first, path);
  }

  Completed complete(const TypeRef& type, const Value& value, const Sets& sets, const Selection& selection,
                     const Path* path) {
    if (value.is_null()) {
      if (!type.is_non_null()) return json::value(nullptr);
      return failed(type, "There is no value where there must be one", selection, path);
    }
    const TypeRef bare = type.nullable();
    Completed made;
    if (bare.is_list() && value.list() != nullptr) {
      made = list(bare, *value.list(), sets, selection, path);
    } else if (value.node() != nullptr) {
      made = object(*in_.schema.find(bare.name()), *value.node(), sets, path);
    } else {
      made = *value.scalar();
    }
    if (made || type.is_non_null()) return made;
    return json::value(nullptr);
  }

  Completed list(const TypeRef& type, const Value::List& items, const Sets& sets, const Selection& selection,
                 const Path* path) {
    json::array made;
    for (const Value& item : items) {
      const Path below{path, json::value(made.size())};
      if (!in_.spend(1)) return exhausted(type.non_null(), selection, path);
      Completed value = complete(type.inner(), item, sets, selection, &below);
      if (!value) return std::nullopt;
      made.push_back(std::move(*value));
    }
    return json::value(std::move(made));
  }

  Completed failed(const TypeRef& type, std::string message, const Selection& selection, const Path* path) {
    if (problems_.size() < kMaxProblems) {
      problems_.push_back({std::move(message), {selection.at}, path_of(path)});
    }
    return type.is_non_null() ? std::nullopt : Completed(json::value(nullptr));
  }

  // Told once: the rest of the answer is null for the same reason.
  Completed exhausted(const TypeRef& type, const Selection& selection, const Path* path) {
    if (!std::exchange(exhausted_, true)) {
      return failed(type, "The answer would be too large: ask for fewer fields or shorter lists", selection,
                    path);
    }
    return type.is_non_null() ? std::nullopt : Completed(json::value(nullptr));
  }

  // Those who run the server find the reason in its log; others need not know how it is built.
  std::string message(const Status& status, const Selection& selection) const {
    switch (status.code()) {
      case Code::kInvalidArgument:
      case Code::kNotFound:
      case Code::kPermissionDenied:
      case Code::kAlreadyExists:
      case Code::kFailedPrecondition:
        return status.message();
      default:
        in_.core.log.error("GraphQL field failed",
                           {{"field", selection.name}, {"error", status.to_string()}});
        return "Internal server error";
    }
  }

  Execution& in_;
  const Document& document_;
  const json::object& variables_;
  std::vector<Problem> problems_;
  bool exhausted_ = false;
};

}  // namespace

void Execution::settle() {
  if (!std::exchange(settled, true)) core.usage.flush();
}

Outcome execute(Execution& in, const Document& document, const Operation& operation,
                const json::object& variables) {
  return Executor(in, document, variables).run(operation);
}

}  // namespace towline::control::graphql
