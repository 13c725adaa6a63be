#include <map>

#include <gmock/gmock.h>

#include "control/graphql/test_endpoint.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;

class IntrospectionTest : public EndpointTest {};

// As tools that draw a schema ask.
const std::string kIntrospectionQuery = R"(
  query IntrospectionQuery {
    __schema {
      description
      queryType { name kind }
      mutationType { name kind }
      subscriptionType { name kind }
      types { ...FullType }
      directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
    }
  }
  fragment FullType on __Type {
    kind name description specifiedByURL
    fields(includeDeprecated: true) {
      name description args(includeDeprecated: true) { ...InputValue }
      type { ...TypeRef } isDeprecated deprecationReason
    }
    inputFields(includeDeprecated: true) { ...InputValue }
    interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
    possibleTypes { ...TypeRef }
  }
  fragment InputValue on __InputValue {
    name description type { ...TypeRef } defaultValue isDeprecated deprecationReason
  }
  fragment TypeRef on __Type {
    kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
  })";

TEST_F(IntrospectionTest, DescribesItself) {
  const auto found = data(kIntrospectionQuery, "").at("__schema").as_object();
  EXPECT_EQ(found.at("queryType").at("name"), "Query");
  EXPECT_EQ(found.at("mutationType").at("name"), "Mutation");
  EXPECT_TRUE(found.at("subscriptionType").is_null());
  EXPECT_EQ(found.at("directives").as_array().size(), 2U);
  std::map<std::string, json::value> types;
  for (const auto& each : found.at("types").as_array())
    types[std::string(each.at("name").as_string())] = each;
  // Every type that is named exists.
  const auto named = [](json::value type) {
    while (!type.at("ofType").is_null()) type = json::value(type.at("ofType"));
    return std::string(type.at("name").as_string());
  };
  for (const auto& [name, type] : types) {
    for (const char* part : {"fields", "inputFields"}) {
      if (type.at(part).is_null()) continue;
      for (const auto& field : type.at(part).as_array()) {
        EXPECT_TRUE(types.contains(named(field.at("type")))) << name << "." << field.at("name");
        if (std::string(part) != "fields") continue;
        for (const auto& argument : field.at("args").as_array()) {
          EXPECT_TRUE(types.contains(named(argument.at("type")))) << name << "." << field.at("name");
        }
      }
    }
  }
  EXPECT_EQ(types.at("ClusterAgent").at("kind"), "OBJECT");
  EXPECT_EQ(types.at("CreateClusterAgentInput").at("inputFields").as_array().size(), 3U);
  EXPECT_EQ(types.at("AgentTokenStatus").at("enumValues").at(0).at("name"), "ACTIVE");
  EXPECT_EQ(
      json::serialize(
          data("{ __type(name: \"ClusterAgentDeleteInput\") { kind fields { name } inputFields { name "
               "type { kind name ofType { kind name } } } } none: __type(name: \"X\") { name } }",
               "")),
      R"({"__type":{"kind":"INPUT_OBJECT","fields":null,"inputFields":[{"name":"id","type":{"kind":"NON_NULL",)"
      R"("name":null,"ofType":{"kind":"SCALAR","name":"ClustersAgentID"}}},{"name":"clientMutationId",)"
      R"("type":{"kind":"SCALAR","name":"String","ofType":null}}]},"none":null})");
}

}  // namespace
}  // namespace towline::control::graphql
