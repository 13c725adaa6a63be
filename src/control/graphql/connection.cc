#include "control/graphql/connection.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "control/graphql/execution.h"

namespace towline::control::graphql {
namespace {

// One page holds no more, however much is asked for.
constexpr std::int64_t kMaxPage = 100;

struct PageOfNodes {
  Value::List nodes;
  std::int64_t offset = 0;
  std::int64_t total = 0;
  std::int64_t end() const { return offset + static_cast<std::int64_t>(nodes.size()); }
};

struct Edge {
  Value node;
  std::int64_t place = 0;
};

std::string cursor(std::int64_t place) { return base64url_encode(std::to_string(place)); }

Result<std::int64_t> place_of(const std::string& cursor) {
  const auto text = base64url_decode(cursor);
  std::int64_t place = -1;
  if (text) std::from_chars(text->data(), text->data() + text->size(), place);
  if (place < 0 || place > std::int64_t{1} << 40 || graphql::cursor(place) != cursor) {
    return fail(Code::kInvalidArgument, "\"" + cursor + "\" is not a cursor");
  }
  return place;
}

struct Asked {
  std::optional<std::int64_t> first, last;
  std::int64_t begin = 0;
  std::optional<std::int64_t> end;
};

Result<Asked> read(const Call& call) {
  Asked asked{.first = call.number("first"), .last = call.number("last")};
  if (asked.first.value_or(0) < 0 || asked.last.value_or(0) < 0) {
    return fail(Code::kInvalidArgument, "first and last must not be negative");
  }
  if (const std::string after = call.text("after"); !after.empty()) {
    const auto place = place_of(after);
    if (!place) return fail(place.error());
    asked.begin = *place + 1;
  }
  if (const std::string before = call.text("before"); !before.empty()) {
    const auto place = place_of(before);
    if (!place) return fail(place.error());
    asked.end = *place;
  }
  return asked;
}

// What is counted from the end needs the length of the list.
Page window(const Asked& asked, std::int64_t total) {
  std::int64_t begin = asked.begin;
  std::int64_t end = asked.end ? std::min(*asked.end, total) : total;
  if (asked.first) end = std::min(end, begin + *asked.first);
  if (asked.last) begin = std::max(begin, end - std::min(*asked.last, kMaxPage));
  const std::int64_t size = std::clamp<std::int64_t>(end - begin, 0, kMaxPage);
  return {.number = 1, .size = size, .skip = begin};
}

Value cursor_or_null(const PageOfNodes& page, std::int64_t place) {
  return page.nodes.empty() ? Value(nullptr) : Value(cursor(place));
}

}  // namespace

std::vector<InputValue> page_arguments(std::vector<InputValue> more) {
  std::vector<InputValue> all = {{"first", "Int", "As many from the beginning, at most 100"},
                                 {"after", "String", "Those behind this cursor"},
                                 {"last", "Int", "As many from the end, at most 100"},
                                 {"before", "String", "Those before this cursor"}};
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return all;
}

Result<Value> connect(Call& call, const std::function<Result<Listed<Value>>(Page)>& load) {
  const auto asked = read(call);
  if (!asked) return fail(asked.error());
  Page page{.number = 1, .size = std::min(asked->first.value_or(kMaxPage), kMaxPage), .skip = asked->begin};
  if (asked->last || asked->end) {
    const auto counted = load({.number = 1, .size = 0});
    if (!counted) return fail(counted.error());
    page = window(*asked, counted->total);
  }
  auto loaded = load(page);
  if (!loaded) return fail(loaded.error());
  // What is read costs, also if no more than its number is asked for.
  call.in.spend(static_cast<std::int64_t>(loaded->items.size()));
  return Node::of(
      PageOfNodes{.nodes = std::move(loaded->items), .offset = page.offset(), .total = loaded->total});
}

Result<Value> connect(Call& call, const std::vector<Value>& items) {
  return connect(call, [&](Page page) -> Result<Listed<Value>> {
    const auto size = static_cast<std::int64_t>(items.size());
    const auto begin = std::min(page.offset(), size);
    const auto end = std::min(begin + page.size, size);
    return Listed<Value>{{items.begin() + begin, items.begin() + end}, size};
  });
}

Type connection_type(const std::string& node) {
  return {.name = node + "Connection",
          .description = "A part of a list",
          .fields = {{"count", "Int!", "Length of the whole list",
                      [](Call& c) -> Result<Value> { return c.of<PageOfNodes>().total; }},
                     {"nodes", TypeRef(std::string_view("[" + node + "]")), "The part",
                      [](Call& c) -> Result<Value> { return c.of<PageOfNodes>().nodes; }},
                     {"edges", TypeRef(std::string_view("[" + node + "Edge]")), "The part with its cursors",
                      [](Call& c) -> Result<Value> {
                        const auto& page = c.of<PageOfNodes>();
                        Value::List edges;
                        for (const Value& each : page.nodes) {
                          const std::int64_t place = page.offset + static_cast<std::int64_t>(edges.size());
                          edges.emplace_back(Node::of(Edge{each, place}));
                        }
                        return edges;
                      }},
                     {"pageInfo", "PageInfo!", "Where the part stands",
                      [](Call& c) -> Result<Value> { return c.parent; }}}};
}

Type edge_type(const std::string& node) {
  return {.name = node + "Edge",
          .description = "An item of a list",
          .fields = {{"cursor", "String!", "Its place",
                      [](Call& c) -> Result<Value> { return cursor(c.of<Edge>().place); }},
                     {"node", TypeRef::named(node), "The item",
                      [](Call& c) -> Result<Value> { return c.of<Edge>().node; }}}};
}

Type page_info_type() {
  return {.name = "PageInfo",
          .description = "Where a part of a list stands",
          .fields = {{"hasNextPage", "Boolean!", "There is more behind it",
                      [](Call& c) -> Result<Value> {
                        return c.of<PageOfNodes>().end() < c.of<PageOfNodes>().total;
                      }},
                     {"hasPreviousPage", "Boolean!", "There is more before it",
                      [](Call& c) -> Result<Value> {
                        const auto& page = c.of<PageOfNodes>();
                        return page.offset > 0 && page.total > 0;
                      }},
                     {"startCursor", "String", "The first item's",
                      [](Call& c) -> Result<Value> {
                        return cursor_or_null(c.of<PageOfNodes>(), c.of<PageOfNodes>().offset);
                      }},
                     {"endCursor", "String", "The last item's", [](Call& c) -> Result<Value> {
                        return cursor_or_null(c.of<PageOfNodes>(), c.of<PageOfNodes>().end() - 1);
                      }}}};
}

}  // namespace towline::control::graphql
