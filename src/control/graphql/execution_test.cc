#include "control/graphql/execution.h"

#include <gmock/gmock.h>

#include "control/graphql/connection.h"
#include "control/graphql/input.h"
#include "control/graphql/parser.h"
#include "control/graphql/validation.h"
#include "control/test_plane.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

Result<Value> refused(Call&) { return fail(Code::kInvalidArgument, "refused"); }
Result<Value> broken(Call&) { return fail(Code::kInternal, "disk on fire"); }
Result<Value> nothing(Call&) { return nullptr; }
Result<Value> item(Call&) { return Node::of(1); }

// Says what it is given.
Result<Value> echo(Call& call) { return json::serialize(call.arguments); }

Result<Value> items(Call& call) {
  Value::List all;
  for (std::int64_t i = 0; i < call.number("n").value_or(2); ++i) all.emplace_back(Node::of(1));
  return all;
}

Result<Value> letters(Call& call) {
  return connect(call, {Value("a"), Value("b"), Value("c"), Value("d"), Value("e")});
}

class ExecutionTest : public PlaneTest {
 protected:
  ExecutionTest() {
    const std::vector<InputValue> n = {{"n", "Int", ""}};
    const std::vector<Field> fields = {{"good", "String!", "", [](Call&) -> Result<Value> { return "good"; }},
                                       {"refused", "String", "", refused},
                                       {"strict", "String!", "", refused},
                                       {"broken", "String", "", broken},
                                       {"nothing", "String", "", nothing},
                                       {"never", "String!", "", nothing},
                                       {"item", "Item", "", item},
                                       {"strictItem", "Item!", "", item},
                                       {"items", "[Item]", "", items, n},
                                       {"strictItems", "[Item!]", "", items, n},
                                       {"allStrict", "[Item!]!", "", items, n},
                                       {"letters", "LetterConnection", "", letters, page_arguments()},
                                       {"echo",
                                        "String!",
                                        "",
                                        echo,
                                        {{"i", "Int", "", json::value(7)},
                                         {"f", "Float", ""},
                                         {"id", "ID", ""},
                                         {"list", "[Int!]", ""},
                                         {"color", "Color", ""},
                                         {"must", "Boolean!", "", json::value(true)},
                                         {"in", "In", ""}}}};
    schema.add({.name = "Query", .description = "", .fields = fields});
    schema.add({.name = "Item", .description = "", .fields = fields});
    schema.add({.kind = Type::Kind::kScalar, .name = "Letter", .description = ""});
    schema.add_connection("Letter");
    schema.add({.kind = Type::Kind::kEnum,
                .name = "Color",
                .description = "",
                .values = {{"RED", ""}, {"BLUE", ""}}});
    schema.add({.kind = Type::Kind::kInput,
                .name = "In",
                .description = "",
                .inputs = {{"a", "Int!", ""}, {"b", "Int", "", json::value(5)}, {"in", "In", ""}}});
  }

  Outcome run(const std::string& text, const std::string& variables = "{}") {
    const auto document = parse(text);
    EXPECT_TRUE(document.has_value()) << document.error().message;
    for (const Problem& each : validate(schema, *document)) {
      ADD_FAILURE() << each.message;
      return {};
    }
    const auto given = coerce_variables(schema, document->operations[0], json::parse(variables).as_object());
    if (!given) return {.data = "not run", .problems = {given.error()}};
    Execution execution{.core = core, .schema = schema};
    return execute(execution, *document, document->operations[0], *given);
  }
  std::string data(const std::string& text, const std::string& variables = "{}") {
    const Outcome outcome = run(text, variables);
    for (const Problem& each : outcome.problems) ADD_FAILURE() << each.message;
    return json::serialize(outcome.data);
  }
  std::string echoed(const std::string& arguments, const std::string& head = "",
                     const std::string& variables = "{}") {
    const Outcome outcome = run(head + "{ echo(" + arguments + ") }", variables);
    if (!outcome.problems.empty()) return outcome.problems[0].message;
    return std::string(outcome.data.at("echo").as_string());
  }

  Schema schema;
};

TEST_F(ExecutionTest, MergesWhatIsAskedForTwice) {
  EXPECT_EQ(
      data("{ b: good item { good ...F } a: good item { x: good } } fragment F on Item { __typename good }"),
      R"({"b":"good","item":{"good":"good","__typename":"Item","x":"good"},"a":"good"})");
}

TEST_F(ExecutionTest, FollowsDirectives) {
  EXPECT_EQ(data("query ($yes: Boolean!, $no: Boolean = false) { a: good @include(if: $yes) b: good "
                 "@include(if: $no) "
                 "c: good @skip(if: $yes) d: good @skip(if: $no) @include(if: $no) "
                 "... @include(if: $no) { e: good } ...F @skip(if: $yes) } fragment F on Query { f: good }",
                 R"({"yes":true})"),
            R"({"a":"good"})");
}

TEST_F(ExecutionTest, ANullClimbsToWhereItMayBe) {
  EXPECT_EQ(json::serialize(run("{ good item { good item { strict } } }").data),
            R"({"good":"good","item":{"good":"good","item":null}})");
  EXPECT_EQ(json::serialize(run("{ item { strictItem { strict } } good }").data),
            R"({"item":null,"good":"good"})");
  EXPECT_EQ(json::serialize(run("{ items { never } good }").data), R"({"items":[null,null],"good":"good"})");
  EXPECT_EQ(json::serialize(run("{ strictItems { never } good }").data),
            R"({"strictItems":null,"good":"good"})");
  EXPECT_EQ(json::serialize(run("{ item { allStrict { never } } }").data), R"({"item":null})");
  EXPECT_EQ(json::serialize(run("{ allStrict { never } }").data), "null");
  EXPECT_EQ(data("{ nothing }"), R"({"nothing":null})");
}

TEST_F(ExecutionTest, TellsWhereProblemsAre) {
  const Outcome outcome = run("{\n  items { x: refused } }");
  ASSERT_EQ(outcome.problems.size(), 2U);
  EXPECT_EQ(outcome.problems[1].message, "refused");
  EXPECT_EQ(outcome.problems[1].locations[0], (Location{2, 11}));
  EXPECT_EQ(json::serialize(outcome.problems[1].path), R"(["items",1,"x"])");
}

TEST_F(ExecutionTest, KeepsWhatIsBrokenInsideToItself) {
  const Outcome outcome = run("{ broken }");
  ASSERT_EQ(outcome.problems.size(), 1U);
  EXPECT_EQ(outcome.problems[0].message, "Internal server error");
  EXPECT_THAT(lines.back(), HasSubstr("disk on fire"));
}

TEST_F(ExecutionTest, GivesArgumentsByTheirTypes) {
  EXPECT_EQ(echoed("i: 1"), R"({"i":1,"must":true})");
  EXPECT_EQ(echoed("i: null, f: 1, id: 5, list: 3, color: RED, must: false, in: {a: 1}"),
            R"({"i":null,"f":1E0,"id":"5","list":[3],"color":"RED","must":false,"in":{"a":1,"b":5}})");
}

TEST_F(ExecutionTest, GivesVariablesByTheirTypes) {
  EXPECT_EQ(echoed("i: $i, in: {a: $a, b: $b, in: $in}", "query ($i: Int, $a: Int = 4, $b: Int, $in: In) ",
                   R"({"in":{"a":2}})"),
            R"({"i":7,"must":true,"in":{"a":4,"b":5,"in":{"a":2,"b":5}}})");
  EXPECT_EQ(echoed("list: $l, id: $id, f: $f", "query ($l: [Int!], $id: ID, $f: Float) ",
                   R"({"l":1,"id":12,"f":2})"),
            R"({"i":7,"f":2E0,"id":"12","list":[1],"must":true})");
  EXPECT_EQ(echoed("must: $m", "query ($m: Boolean) ", R"({"m":null})"),
            "Argument \"must\" must not be null");
}

TEST_F(ExecutionTest, RefusesVariablesThatDoNotFit) {
  const std::string head = "query ($i: Int!, $c: Color, $l: [Int!], $in: In, $id: ID) ";
  const auto refusal = [&](const std::string& variables) { return echoed("i: $i", head, variables); };
  EXPECT_EQ(refusal("{}"), "Variable $i of type Int! is missing");
  EXPECT_EQ(refusal(R"({"i":null})"), "Variable $i must not be null");
  EXPECT_EQ(refusal(R"({"i":"1"})"), "Variable $i is not of type Int!");
  EXPECT_EQ(refusal(R"({"i":1.5})"), "Variable $i is not of type Int!");
  EXPECT_EQ(refusal(R"({"i":2147483648})"), "Variable $i is not of type Int!");
  EXPECT_EQ(refusal(R"({"i":1,"c":"GREEN"})"), "Variable $c is not of type Color");
  EXPECT_EQ(refusal(R"({"i":1,"l":[1,null]})"), "Variable $l has an item that must not be null");
  EXPECT_EQ(refusal(R"({"i":1,"in":{}})"), "Variable $in lacks the field \"a\"");
  EXPECT_EQ(refusal(R"({"i":1,"in":{"a":1,"z":1}})"), "Variable $in has a field \"z\" that In does not know");
  EXPECT_EQ(refusal(R"({"i":1,"in":{"a":1,"in":{"a":true}}})"),
            "Variable $in has a field \"in\" that has a field \"a\" that is not of type Int!");
  EXPECT_EQ(refusal(R"({"i":1,"id":true})"), "Variable $id is not of type ID");
  EXPECT_EQ(refusal(R"({"i":1,"id":"a\u0000"})"), "Variable $id has a character that is not allowed");
}

TEST_F(ExecutionTest, StopsWhenTheAnswerBecomesTooLarge) {
  EXPECT_TRUE(run("{ items(n: 4999) { good } }").problems.empty());
  const Outcome outcome = run("{ items(n: 5001) { good } good }");
  ASSERT_EQ(outcome.problems.size(), 1U);
  EXPECT_THAT(outcome.problems[0].message, HasSubstr("The answer would be too large"));
  EXPECT_TRUE(outcome.data.is_null());
  const Outcome nested = run("{ items(n: 100) { items(n: 100) { items(n: 100) { nothing } } } }");
  EXPECT_EQ(nested.problems.size(), 1U);
  EXPECT_EQ(run("{ items(n: 200) { refused } }").problems.size(), 100U);
}

TEST_F(ExecutionTest, GivesParts) {
  const auto part = [&](const std::string& arguments) {
    const Outcome outcome =
        run("{ letters(" + arguments + ") { count nodes pageInfo { hasNextPage hasPreviousPage } } }");
    if (!outcome.problems.empty()) return outcome.problems[0].message;
    const auto& found = outcome.data.at("letters");
    EXPECT_EQ(found.at("count"), 5);
    std::string text = found.at("pageInfo").at("hasPreviousPage").as_bool() ? "<" : "";
    for (const auto& each : found.at("nodes").as_array()) text += std::string(each.as_string());
    return text + (found.at("pageInfo").at("hasNextPage").as_bool() ? ">" : "");
  };
  EXPECT_EQ(part("first: 100"), "abcde");
  EXPECT_EQ(part("first: 2"), "ab>");
  EXPECT_EQ(part("last: 2"), "<de");
  EXPECT_EQ(part("first: 0"), ">");
  EXPECT_EQ(part("first: 4, last: 2"), "<cd>");
  const auto edges =
      run("{ letters(first: 2) { edges { node cursor } pageInfo { startCursor endCursor } } }");
  const auto& found = edges.data.at("letters");
  const auto cursor = [&](int i) { return std::string(found.at("edges").at(i).at("cursor").as_string()); };
  EXPECT_EQ(found.at("edges").at(1).at("node"), "b");
  EXPECT_EQ(found.at("pageInfo").at("startCursor"), found.at("edges").at(0).at("cursor"));
  EXPECT_EQ(found.at("pageInfo").at("endCursor"), found.at("edges").at(1).at("cursor"));
  EXPECT_EQ(part("first: 2, after: \"" + cursor(1) + "\""), "<cd>");
  EXPECT_EQ(part("before: \"" + cursor(1) + "\""), "a>");
  EXPECT_EQ(part("after: \"" + cursor(0) + "\", last: 9"), "<bcde");
  EXPECT_EQ(part("after: \"x\""), "\"x\" is not a cursor");
  EXPECT_EQ(part("first: -1"), "first and last must not be negative");
}

}  // namespace
}  // namespace towline::control::graphql
