#include "control/graphql/validation.h"

#include <algorithm>
#include <map>
#include <set>

namespace towline::control::graphql {
namespace {

// More would help nobody, and a request must not make an answer much larger than itself.
constexpr std::size_t kMaxProblems = 20;
// Fragments within fragments, which may add depth without adding fields.
constexpr int kMaxLevels = 100;

void append(std::vector<Problem>& all, std::vector<Problem> more) {
  for (Problem& each : more) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Problem& other) {
      return other.message == each.message && other.locations == each.locations;
    });
    if (!known && all.size() < kMaxProblems) all.push_back(std::move(each));
  }
}

using Spreads = std::vector<const Selection*>;

void collect_spreads(const std::vector<Selection>& selections, Spreads& spreads) {
  for (const Selection& each : selections) {
    if (each.kind == Selection::Kind::kSpread) spreads.push_back(&each);
    collect_spreads(each.selections, spreads);
  }
}

class Structure {
 public:
  Structure(const Schema& schema, const Document& document) : schema_(schema), document_(document) {}

  std::vector<Problem> check() {
    operations();
    for (const Fragment& each : document_.fragments) fragment(each);
    for (const Operation& each : document_.operations) uses(each.selections);
    for (const Fragment& each : document_.fragments) uses(each.selections);
    if (!problems_.empty()) return problems_;
    for (const Fragment& each : document_.fragments) cycles(each);
    if (!problems_.empty()) return problems_;
    unused();
    return problems_;
  }

 private:
  void refuse(std::string message, Location at) { append(problems_, {Problem{std::move(message), {at}}}); }

  void operations() {
    std::set<std::string> names;
    for (const Operation& each : document_.operations) {
      if (each.name.empty() && document_.operations.size() > 1) {
        refuse("An operation without a name must be the only one", each.at);
      }
      if (!names.insert(each.name).second && !each.name.empty()) {
        refuse("There is more than one operation \"" + each.name + "\"", each.at);
      }
      if (each.mutation && schema_.find("Mutation") == nullptr) refuse("There are no mutations", each.at);
    }
  }

  void fragment(const Fragment& fragment) {
    if (document_.fragment(fragment.name) != &fragment) {
      refuse("There is more than one fragment \"" + fragment.name + "\"", fragment.at);
    }
    const Type* type = schema_.find(fragment.condition);
    if (type == nullptr || type->kind != Type::Kind::kObject) {
      refuse(
          "Fragment \"" + fragment.name + "\" is on \"" + fragment.condition + "\", which is no object type",
          fragment.at);
    }
    collect_spreads(fragment.selections, spreads_[&fragment]);
  }

  void uses(const std::vector<Selection>& selections) {
    Spreads spreads;
    collect_spreads(selections, spreads);
    for (const Selection* spread : spreads) {
      if (document_.fragment(spread->name) == nullptr) {
        refuse("Fragment \"" + spread->name + "\" does not exist", spread->at);
      }
    }
  }

  void cycles(const Fragment& fragment) {
    if (done_.contains(&fragment)) return;
    open_.insert(&fragment);
    for (const Selection* spread : spreads_[&fragment]) {
      const Fragment* next = document_.fragment(spread->name);
      if (open_.contains(next)) {
        refuse("Fragment \"" + next->name + "\" contains itself", spread->at);
      } else {
        cycles(*next);
      }
    }
    open_.erase(&fragment);
    done_.insert(&fragment);
  }

  void unused() {
    std::set<const Fragment*> used;
    std::vector<const Fragment*> waiting;
    const auto use = [&](const Spreads& spreads) {
      for (const Selection* spread : spreads) {
        const Fragment* fragment = document_.fragment(spread->name);
        if (used.insert(fragment).second) waiting.push_back(fragment);
      }
    };
    for (const Operation& each : document_.operations) {
      Spreads spreads;
      collect_spreads(each.selections, spreads);
      use(spreads);
    }
    while (!waiting.empty()) {
      const Fragment* next = waiting.back();
      waiting.pop_back();
      use(spreads_[next]);
    }
    for (const Fragment& each : document_.fragments) {
      if (!used.contains(&each)) refuse("Fragment \"" + each.name + "\" is never used", each.at);
    }
  }

  const Schema& schema_;
  const Document& document_;
  std::map<const Fragment*, Spreads> spreads_;
  std::set<const Fragment*> open_, done_;
  std::vector<Problem> problems_;
};

class Size {
 public:
  Size(const Document& document, const Limits& limits) : document_(document), limits_(limits) {}

  std::vector<Problem> check() {
    for (const Operation& each : document_.operations) {
      fields_ = 0;
      measure(each.selections, 1, 1);
    }
    return problems_;
  }

 private:
  // False: too much, look no further.
  bool measure(const std::vector<Selection>& selections, int depth, int level) {
    for (const Selection& each : selections) {
      if (!measure(each, depth, level)) return false;
    }
    return true;
  }

  bool measure(const Selection& selection, int depth, int level) {
    if (++fields_ > limits_.fields) {
      return refuse("The request has more than " + std::to_string(limits_.fields) + " fields", selection.at);
    }
    if (level > kMaxLevels) return refuse("Too many fragments in one another", selection.at);
    switch (selection.kind) {
      case Selection::Kind::kSpread:
        return measure(document_.fragment(selection.name)->selections, depth, level + 1);
      case Selection::Kind::kInline:
        return measure(selection.selections, depth, level + 1);
      case Selection::Kind::kField:
        break;
    }
    if (depth > limits_.depth) {
      return refuse("The request is more than " + std::to_string(limits_.depth) + " fields deep",
                    selection.at);
    }
    return measure(selection.selections, depth + 1, level + 1);
  }

  bool refuse(std::string message, Location at) {
    append(problems_, {Problem{std::move(message), {at}}});
    return false;
  }

  const Document& document_;
  const Limits& limits_;
  int fields_ = 0;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> validate_structure(const Schema& schema, const Document& document) {
  return Structure(schema, document).check();
}

std::vector<Problem> validate_size(const Document& document, const Limits& limits) {
  return Size(document, limits).check();
}

std::vector<Problem> validate(const Schema& schema, const Document& document, const Limits& limits) {
  std::vector<Problem> problems = validate_structure(schema, document);
  if (!problems.empty()) return problems;
  append(problems, validate_size(document, limits));
  if (!problems.empty()) return problems;
  for (const Operation& each : document.operations) append(problems, validate_fields(schema, document, each));
  if (!problems.empty()) return problems;
  for (const Operation& each : document.operations) append(problems, validate_overlaps(document, each));
  return problems;
}

}  // namespace towline::control::graphql
