#include <set>

#include <gmock/gmock.h>

#include "control/graphql/parser.h"
#include "control/graphql/test_endpoint.h"
#include "control/graphql/types.h"
#include "control/graphql/validation.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;

// Asks for all that can be reached from a type, but not for a type within itself.
class Asker {
 public:
  std::string everything(const Type& type) {
    seen.insert(type.name);
    path_.insert(type.name);
    std::string text;
    for (const Field& field : type.fields) {
      const Type& inner = *schema().find(field.type.name());
      if (!inner.is_leaf() && path_.contains(inner.name)) continue;
      text += field.name + arguments(field) + (inner.is_leaf() ? " " : "{" + everything(inner) + "} ");
    }
    path_.erase(type.name);
    return text;
  }

  std::set<std::string> seen;

 private:
  static std::string arguments(const Field& field) {
    for (const InputValue& each : field.arguments) {
      if (each.name == "fullPath")
        return field.name == "group" ? "(fullPath: \"tools\")" : "(fullPath: \"root/demo\")";
      if (each.name == "name") return "(name: \"a\")";
    }
    return "";
  }

  std::set<std::string> path_;
};

class EveryFieldTest : public EndpointTest {
 protected:
  static constexpr Limits kWide{.text = 1'000'000, .tokens = 100'000, .fields = 100'000, .nodes = 100'000};
};

// A resolver that takes its object for another one would end the program here.
TEST_F(EveryFieldTest, HasAResolverThatKnowsItsObject) {
  expect(201, "POST", "/groups", root.token, R"({"name":"Tools","path":"tools"})");
  expect(201, "POST", "/projects/root%2Fdemo/cluster_agents/" + std::to_string(agent_id) + "/tokens",
         root.token, R"({"name":"t"})");
  usage.agent_seen({.agent_id = agent_id, .connection_id = 1, .version = "v16.0.0", .pod_name = "pod"});
  Asker asker;
  const auto document = parse("{" + asker.everything(schema().root(false)) + "}", kWide);
  ASSERT_TRUE(document.has_value()) << document.error().message;
  for (const Problem& each : validate(schema(), *document, kWide)) ADD_FAILURE() << each.message;
  Execution execution{.core = core, .schema = schema(), .nodes_left = kWide.nodes};
  execution.caller = Accounts(core).authenticate(Secret(root.token)).value();
  const Outcome outcome = execute(execution, *document, document->operations[0], {});
  for (const Problem& each : outcome.problems) ADD_FAILURE() << each.message << json::serialize(each.path);
  const auto& agent =
      outcome.data.at("projects").at("nodes").at(0).at("clusterAgents").at("edges").at(0).at("node");
  EXPECT_EQ(agent.at("activityEvents").at("edges").at(1).at("node").at("agentToken").at("name"), "t");
  EXPECT_EQ(outcome.data.at("group").at("name"), "Tools");
  for (const auto& [name, type] : schema().types()) {
    const bool of_queries = type.kind == Type::Kind::kObject && !name.starts_with("__") &&
                            name != "Mutation" && !name.ends_with("Payload");
    EXPECT_EQ(asker.seen.contains(name), of_queries) << name;
  }
}

}  // namespace
}  // namespace towline::control::graphql
