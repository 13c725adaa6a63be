#include <algorithm>
#include <map>

#include "control/graphql/validation.h"

namespace towline::control::graphql {
namespace {

bool same(const std::vector<Argument>& a, const std::vector<Argument>& b);

bool same(const Literal& a, const Literal& b) {
  return a.kind == b.kind && a.text == b.text && same(a.fields, b.fields) &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                    [](const Literal& x, const Literal& y) { return same(x, y); });
}

// In any order.
bool same(const std::vector<Argument>& a, const std::vector<Argument>& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const Argument& x) {
           return std::any_of(b.begin(), b.end(),
                              [&](const Argument& y) { return x.name == y.name && same(x.value, y.value); });
         });
}

using Fields = std::map<std::string_view, std::vector<const Selection*>>;

// As all types are objects, every fragment of a set applies, and two fields of one key always meet.
class Overlaps {
 public:
  explicit Overlaps(const Document& document) : document_(document) {}

  void check(const std::vector<const std::vector<Selection>*>& sets) {
    Fields fields;
    for (const auto* set : sets) collect(*set, fields);
    for (const auto& [key, meeting] : fields) {
      std::vector<const std::vector<Selection>*> below;
      for (const Selection* each : meeting) {
        compare(key, *meeting.front(), *each);
        if (!each->selections.empty()) below.push_back(&each->selections);
      }
      if (!below.empty()) check(below);
    }
  }

  std::vector<Problem> problems;

 private:
  void collect(const std::vector<Selection>& selections, Fields& fields) {
    for (const Selection& each : selections) {
      switch (each.kind) {
        case Selection::Kind::kField:
          fields[each.key()].push_back(&each);
          break;
        case Selection::Kind::kInline:
          collect(each.selections, fields);
          break;
        case Selection::Kind::kSpread:
          collect(document_.fragment(each.name)->selections, fields);
          break;
      }
    }
  }

  void compare(std::string_view key, const Selection& a, const Selection& b) {
    if (a.name == b.name && same(a.arguments, b.arguments)) return;
    const std::string what = a.name == b.name ? "with different arguments" : "two different fields";
    problems.push_back({"\"" + std::string(key) + "\" is asked for " +
                            (a.name == b.name ? what : "as " + what) + "; give one another name",
                        {a.at, b.at}});
  }

  const Document& document_;
};

}  // namespace

std::vector<Problem> validate_overlaps(const Document& document, const Operation& operation) {
  Overlaps overlaps(document);
  overlaps.check({&operation.selections});
  return std::move(overlaps.problems);
}

}  // namespace towline::control::graphql
