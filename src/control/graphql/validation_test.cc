#include "control/graphql/validation.h"

#include <gmock/gmock.h>

#include "control/graphql/parser.h"
#include "control/graphql/types.h"

namespace towline::control::graphql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> problems(std::string_view text) {
  const auto document = parse(text);
  if (!document) return {"not parsed: " + document.error().message};
  std::vector<std::string> all;
  for (const Problem& each : validate(schema(), *document)) {
    const Location at = each.locations.empty() ? Location{} : each.locations[0];
    all.push_back(std::to_string(at.line) + ":" + std::to_string(at.column) + " " + each.message);
  }
  return all;
}

auto one(const std::string& part) { return ElementsAre(HasSubstr(part)); }

TEST(GraphqlValidationTest, AcceptsWhatFits) {
  EXPECT_THAT(problems(R"(query Q($path: ID!, $n: Int = 2, $unused: [AgentTokenStatus!], $yes: Boolean!) {
      __typename
      project(fullPath: $path) {
        ...P
        ... on Project { id }
        ... @include(if: $yes) { name }
        clusterAgents(first: $n) { nodes { tokens(status: ACTIVE) { count } } }
      }
    }
    fragment P on Project { id name again: name @skip(if: false) })"),
              IsEmpty());
  EXPECT_THAT(
      problems("query ($i: CreateClusterAgentInput!) { currentUser { id } } mutation M { createClusterAgent("
               "input: {projectPath: 5, name: \"a\"}) { errors } }"),
      one("must be the only one"));
  EXPECT_THAT(problems("{ project(fullPath: 7) { id } }"), IsEmpty());
}

TEST(GraphqlValidationTest, KnowsFieldsAndTheirTypes) {
  EXPECT_THAT(problems("{ nothing }"), ElementsAre("1:3 Field \"nothing\" does not exist on type \"Query\""));
  EXPECT_THAT(problems("{ currentUser }"),
              one("Field \"currentUser\" of type UserCore needs a choice of fields"));
  EXPECT_THAT(problems("{ currentUser { id { x } } }"), one("Field \"id\" of type ID has no fields"));
  EXPECT_THAT(problems("{ currentUser { __schema { types { name } } } }"),
              one("does not exist on type \"UserCore\""));
  EXPECT_THAT(problems("{ a b\nc }"), ElementsAre(HasSubstr("1:3"), HasSubstr("1:5"), HasSubstr("2:1")));
}

TEST(GraphqlValidationTest, KnowsArguments) {
  EXPECT_THAT(problems("{ project { id } }"), one("needs the argument \"fullPath\" of type ID!"));
  EXPECT_THAT(problems("{ project(fullPath: null) { id } }"), one("Argument \"fullPath\" must not be null"));
  EXPECT_THAT(problems("{ project(fullPath: \"a\", fullPath: \"b\") { id } }"), one("\"fullPath\" twice"));
  EXPECT_THAT(problems("{ project(fullPath: \"a\", x: 1) { id } }"),
              one("1:26 Field \"project\" has no argument \"x\""));
  EXPECT_THAT(problems("{ projects(first: \"a\") { count } }"),
              ElementsAre("1:19 Argument \"first\" is not of type Int"));
  EXPECT_THAT(problems("{ projects(first: 3000000000) { count } }"), one("is not of type Int"));
  EXPECT_THAT(problems("{ projects(first: 99999999999999999999) { count } }"), one("is not of type Int"));
  EXPECT_THAT(problems("{ projects(search: ACTIVE) { count } }"), one("is not of type String"));
  EXPECT_THAT(problems("{ projects(search: \"\\u0000\") { count } }"),
              one("a character that is not allowed"));
  const std::string tokens = "{ project(fullPath: 1) { clusterAgent(name: \"a\") { tokens(status: ";
  EXPECT_THAT(problems(tokens + "\"ACTIVE\") { count } } } }"), one("is not of type AgentTokenStatus"));
  EXPECT_THAT(problems(tokens + "GONE) { count } } } }"), one("is not of type AgentTokenStatus"));
}

TEST(GraphqlValidationTest, KnowsInputObjects) {
  const auto with = [](const std::string& input) {
    return problems("mutation { createClusterAgent(input: " + input + ") { errors } }");
  };
  EXPECT_THAT(with("{name: \"a\", projectPath: \"p\"}"), IsEmpty());
  EXPECT_THAT(with("{name: \"a\"}"), one("Argument \"input\" lacks the field \"projectPath\""));
  EXPECT_THAT(with("{name: \"a\", projectPath: \"p\", x: 1}"),
              one("has a field \"x\" that CreateClusterAgentInput"));
  EXPECT_THAT(with("{name: \"a\", name: \"b\", projectPath: \"p\"}"), one("has the field \"name\" twice"));
  EXPECT_THAT(with("{name: true, projectPath: \"p\"}"),
              one("has a field \"name\" that is not of type String!"));
  EXPECT_THAT(with("7"), one("is not of type CreateClusterAgentInput!"));
  EXPECT_THAT(with("{name: $x, projectPath: \"p\"}"), one("Variable $x is not declared"));
}

TEST(GraphqlValidationTest, KnowsVariables) {
  EXPECT_THAT(problems("{ project(fullPath: $p) { id } }"), one("1:21 Variable $p is not declared"));
  EXPECT_THAT(problems("query ($p: ID) { project(fullPath: $p) { id } }"),
              one("Variable $p of type ID is used where ID! is expected"));
  EXPECT_THAT(problems("query ($p: ID = \"a\") { project(fullPath: $p) { id } }"), IsEmpty());
  EXPECT_THAT(problems("query ($p: ID = null) { project(fullPath: $p) { id } }"),
              one("is used where ID! is expected"));
  EXPECT_THAT(problems("query ($p: String!) { project(fullPath: $p) { id } }"),
              one("Variable $p of type String!"));
  EXPECT_THAT(problems("query ($p: ID!, $p: ID!) { project(fullPath: $p) { id } }"),
              one("$p is declared twice"));
  EXPECT_THAT(problems("query ($p: Project) { currentUser { id } }"), one("which is no input type"));
  EXPECT_THAT(problems("query ($p: Nothing) { currentUser { id } }"), one("which is no input type"));
  EXPECT_THAT(problems("query ($n: Int = \"a\") { projects(first: $n) { count } }"),
              one("The default of variable $n"));
  EXPECT_THAT(
      problems(
          "query A($p: ID!) { ...F } query B { ...F } fragment F on Query { project(fullPath: $p) { id } }"),
      one("Variable $p is not declared"));
  EXPECT_THAT(problems("query ($n: [String!]!) { projects(search: $n) { count } }"),
              one("is used where String"));
}

TEST(GraphqlValidationTest, KnowsFragments) {
  EXPECT_THAT(problems("{ ...F }"), one("Fragment \"F\" does not exist"));
  EXPECT_THAT(problems("{ ...F } fragment F on Nothing { a }"), one("which is no object type"));
  EXPECT_THAT(problems("{ ...F } fragment F on ID { a }"), one("which is no object type"));
  EXPECT_THAT(problems("{ ...F } fragment F on Project { id }"), one("A Query is never a Project"));
  EXPECT_THAT(problems("{ ... on Project { id } }"), one("A Query is never a Project"));
  EXPECT_THAT(problems("{ ... on Nothing { id } }"), one("There is no object type \"Nothing\""));
  EXPECT_THAT(problems("{ __typename } fragment F on Query { __typename }"),
              one("Fragment \"F\" is never used"));
  EXPECT_THAT(problems("{ ...F } fragment F on Query { __typename } fragment F on Query { __typename }"),
              one("more than one fragment \"F\""));
  EXPECT_THAT(problems("{ ...F } fragment F on Query { ...F }"), one("Fragment \"F\" contains itself"));
  EXPECT_THAT(problems("{ ...A } fragment A on Query { ...B } fragment B on Query { ... { ...C } } "
                       "fragment C on Query { ...A }"),
              one("Fragment \"A\" contains itself"));
  EXPECT_THAT(problems("{ __typename } fragment A on Query { ...B } fragment B on Query { ...A }"),
              one("contains itself"));
}

TEST(GraphqlValidationTest, KnowsDirectivesAndOperations) {
  EXPECT_THAT(problems("{ __typename @include }"), one("Directive @include needs the argument \"if\""));
  EXPECT_THAT(problems("{ __typename @include(if: 1) }"), one("is not of type Boolean!"));
  EXPECT_THAT(problems("{ __typename @show }"), one("Directive @show does not exist"));
  EXPECT_THAT(problems("query @skip(if: true) { __typename }"), one("is out of place here"));
  EXPECT_THAT(problems("{ __typename @skip(if: true) @skip(if: true) }"), one("stands here twice"));
  EXPECT_THAT(problems("query A { __typename } query A { __typename }"),
              one("more than one operation \"A\""));
}

TEST(GraphqlValidationTest, RefusesTwoFieldsUnderOneName) {
  EXPECT_THAT(problems("{ currentUser { id id } currentUser { name } }"), IsEmpty());
  EXPECT_THAT(problems("{ currentUser { id: name id } }"),
              one("1:17 \"id\" is asked for as two different fields"));
  EXPECT_THAT(problems("{ currentUser { ...F a: name } } fragment F on UserCore { a: id }"),
              one("two different fields"));
  EXPECT_THAT(problems("{ currentUser { a: name } ...F } fragment F on Query { currentUser { a: id } }"),
              one("two different fields"));
  EXPECT_THAT(problems("{ projects(first: 1) { count } projects(first: 2) { count } }"),
              one("with different arguments"));
  EXPECT_THAT(
      problems("{ projects(first: 1, search: \"a\") { count } projects(search: \"a\", first: 1) { count } }"),
      IsEmpty());
}

TEST(GraphqlValidationTest, LimitsDepth) {
  const auto nested = [](int times) {
    std::string text = "{ project(fullPath: 1) { clusterAgent(name: \"a\") { ";
    for (int i = 0; i < times; ++i) text += "project { clusterAgent(name: \"a\") { ";
    text += "name ";
    for (int i = 0; i < 2 * times + 3; ++i) text += "}";
    return text;
  };
  EXPECT_THAT(problems(nested(6)), IsEmpty());  // 15 deep
  EXPECT_THAT(problems(nested(7)), one("more than 15 fields deep"));
  EXPECT_THAT(
      problems(
          "{ ...A } fragment A on Query { __schema { types { fields { type { ...T } } } } } "
          "fragment T on __Type { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { "
          "ofType { ofType { ofType { name } } } } } } } } } } } }"),
      one("more than 15 fields deep"));
}

TEST(GraphqlValidationTest, LimitsWhatFragmentsMultiply) {
  std::string text = "{ ...F0 }";
  for (int i = 0; i < 60; ++i) {
    const std::string next = std::to_string(i + 1);
    text += " fragment F" + std::to_string(i) + " on Query { ...F" + next + " ...F" + next + " }";
  }
  text += " fragment F60 on Query { __typename }";
  EXPECT_THAT(problems(text), one("The request has more than 1000 fields"));
  std::string chain = "{ ...F0 }";
  for (int i = 0; i < 99; ++i) {
    chain += " fragment F" + std::to_string(i) + " on Query { ... { ...F" + std::to_string(i + 1) + " } }";
  }
  EXPECT_THAT(problems(chain + " fragment F99 on Query { __typename }"),
              one("Too many fragments in one another"));
}

}  // namespace
}  // namespace towline::control::graphql
