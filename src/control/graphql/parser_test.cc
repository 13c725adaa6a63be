#include "control/graphql/parser.h"

#include <gmock/gmock.h>

namespace towline::control::graphql {
namespace {

using ::testing::HasSubstr;
using Kind = Literal::Kind;

std::string problem(std::string_view text, const Limits& limits = {}) {
  const auto parsed = parse(text, limits);
  if (parsed) return "";
  std::string found;
  for (const Location& at : parsed.error().locations) {
    found += std::to_string(at.line) + ":" + std::to_string(at.column) + " ";
  }
  return found + parsed.error().message;
}

// The value of the argument of "{ f(a: ...) }".
Literal literal(const std::string& text) {
  auto parsed = parse("{ f(a: " + text + ") }");
  EXPECT_TRUE(parsed.has_value()) << text << ": " << parsed.error().message;
  return parsed ? parsed->operations.at(0).selections.at(0).arguments.at(0).value : Literal{};
}

std::string repeated(int times, const std::string& text) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(GraphqlParserTest, ReadsOperationsWithAllTheirParts) {
  const auto parsed = parse(R"(
    # of an agent
    query Agents($path: ID!, $names: [String!]! = ["a"], $n: Int = 3 @x) @y {
      mine: project(fullPath: $path, first: $n) @include(if: true) { ...F ... on Project { id } ... @skip(if: false) { name } }
    }
    mutation { change }
    fragment F on Project @z { name }
  )");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  ASSERT_EQ(parsed->operations.size(), 2U);
  const Operation& query = parsed->operations[0];
  EXPECT_EQ(query.name, "Agents");
  EXPECT_FALSE(query.mutation);
  EXPECT_EQ(query.at, (Location{3, 5}));
  ASSERT_EQ(query.variables.size(), 3U);
  EXPECT_EQ(query.variables[0].type.notation(), "ID!");
  EXPECT_EQ(query.variables[1].type.notation(), "[String!]!");
  EXPECT_EQ(query.variables[1].otherwise->items.at(0).text, "a");
  EXPECT_EQ(query.variables[2].directives.at(0).name, "x");
  EXPECT_EQ(query.directives.at(0).name, "y");
  const Selection& project = query.selections.at(0);
  EXPECT_EQ(project.key(), "mine");
  EXPECT_EQ(project.name, "project");
  EXPECT_EQ(project.arguments.at(0).value.kind, Kind::kVariable);
  EXPECT_EQ(project.directives.at(0).arguments.at(0).name, "if");
  ASSERT_EQ(project.selections.size(), 3U);
  EXPECT_EQ(project.selections[0].kind, Selection::Kind::kSpread);
  EXPECT_EQ(project.selections[1].condition, "Project");
  EXPECT_EQ(project.selections[2].kind, Selection::Kind::kInline);
  EXPECT_TRUE(parsed->operations[1].mutation);
  ASSERT_NE(parsed->fragment("F"), nullptr);
  EXPECT_EQ(parsed->fragment("F")->condition, "Project");
  EXPECT_EQ(parsed->fragment("G"), nullptr);
}

TEST(GraphqlParserTest, ReadsAllKindsOfValues) {
  EXPECT_EQ(literal("-12").kind, Kind::kInt);
  EXPECT_EQ(literal("-12").text, "-12");
  EXPECT_EQ(literal("1.5e-3").kind, Kind::kFloat);
  EXPECT_EQ(literal("2E2").kind, Kind::kFloat);
  EXPECT_EQ(literal("true").kind, Kind::kBoolean);
  EXPECT_EQ(literal("null").kind, Kind::kNull);
  EXPECT_EQ(literal("ACTIVE").kind, Kind::kEnum);
  EXPECT_EQ(literal("[1, [2] ]").items.at(1).items.at(0).text, "2");
  EXPECT_EQ(literal("[]").kind, Kind::kList);
  EXPECT_EQ(literal("{a: {b: $c}}").fields.at(0).value.fields.at(0).value.kind, Kind::kVariable);
}

TEST(GraphqlParserTest, DecodesStrings) {
  EXPECT_EQ(literal(R"("a\"\\\/\b\f\n\r\tz")").text, "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(literal(R"("\u00e9\u20AC\uD83D\uDE00é")").text, "é€😀é");
  EXPECT_EQ(literal(R"("")").text, "");
  EXPECT_EQ(literal("\"\"\"\n    first\n      \\\"\"\" second \\n\n\n    third\n  \"\"\"").text,
            "first\n  \"\"\" second \\n\n\nthird");
  EXPECT_EQ(literal("\"\"\"one\r\n  two\r  three\"\"\"").text, "one\ntwo\nthree");
  EXPECT_EQ(literal("\"\"\"\"\"\"").text, "");
}

TEST(GraphqlParserTest, NamesLineAndColumnOfEveryProblem) {
  EXPECT_EQ(problem("{ a\n  b(c: ) }"), "2:8 Syntax error: expected a value, found \")\"");
  EXPECT_EQ(problem("{ é }"), "1:3 Syntax error: unexpected character");
  EXPECT_EQ(problem("{ f(a: \"é\" %) }"), "1:12 Syntax error: unexpected character");
  EXPECT_EQ(problem("{ a"), "1:4 Syntax error: expected \"}\", found the end of the text");
  EXPECT_EQ(problem("{ }"), "1:3 Syntax error: expected a field, found \"}\"");
  EXPECT_EQ(problem("{ a() }"), "1:5 Syntax error: expected the name of an argument, found \")\"");
  EXPECT_EQ(problem("\r\n\r{ ."), "3:3 Syntax error: unexpected character");
  EXPECT_EQ(problem("query ($a: Int = $b) { a }"), "1:18 Syntax error: expected a value, found \"$\"");
  EXPECT_EQ(problem("fragment on on T { a }"),
            "1:10 Syntax error: expected the name of the fragment, found \"on\"");
  EXPECT_EQ(problem("type T { a: Int }"),
            "1:1 Syntax error: expected a query, a mutation or a fragment, found \"type\"");
  EXPECT_EQ(problem("subscription { a }"), "1:1 Syntax error: subscriptions are not supported");
  EXPECT_EQ(problem(" \n"), "The request has no operation");
  EXPECT_EQ(problem("fragment F on T { a }"), "The request has no operation");
}

TEST(GraphqlParserTest, RefusesTokensThatAreNone) {
  for (const char* bad :
       {"01", "1.", "1.e1", ".5", "-", "1e", "0xF", "1a", "1.2.3", "\"a", "\"a\nb\"", "\"\\x\"", "\"\\u12\"",
        "\"\\uD800\"", "\"\\uDE00\"", "\"\\uD800\\u0041\"", "\"\"\"a", "\"\x01\"", "'a'"}) {
    EXPECT_THAT(problem(std::string("{ f(a: ") + bad + ") }"), HasSubstr("Syntax error")) << bad;
  }
  EXPECT_EQ(problem("{ a\xFF }"), "The request is not UTF-8");
}

TEST(GraphqlParserTest, HasLimits) {
  EXPECT_EQ(problem("{ a " + std::string(32 * 1024, ' ') + "}"), "The request is longer than 32768 bytes");
  EXPECT_THAT(problem("{" + repeated(4000, "a ") + "}"), HasSubstr("more than 4000 tokens"));
  EXPECT_EQ(problem("{" + repeated(3998, "a ") + "}"),
            "1:7998 Syntax error: the request has more than 4000 tokens");
  EXPECT_EQ(problem("{" + repeated(3997, "a ") + "}"), "");
  for (const auto& [open, close] : {std::pair{"{a", "}"}, {"{f(a:[", ""}, {"{... ", ""}}) {
    EXPECT_THAT(problem(repeated(33, open) + repeated(33, close)), HasSubstr("Syntax error")) << open;
  }
  EXPECT_THAT(problem("{f(a:" + repeated(2000, "[")), HasSubstr("more than 32 levels in one another"));
  EXPECT_THAT(problem("{f(a:" + repeated(1000, "{a:")), HasSubstr("more than 32 levels in one another"));
  EXPECT_THAT(problem(repeated(1500, "{a")), HasSubstr("more than 32 levels in one another"));
  EXPECT_THAT(problem("query($a:" + repeated(2000, "[")), HasSubstr("more than 32 levels in one another"));
  EXPECT_THAT(problem(repeated(101, "fragment F on T { a } ")), HasSubstr("more than 100 fragments"));
}

}  // namespace
}  // namespace towline::control::graphql
