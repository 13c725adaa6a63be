#include "control/graphql/types.h"

#include <memory>

#include "base/decimal.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/user_table.h"

namespace towline::control::graphql {
namespace {

constexpr std::string_view kScheme = "gid://gitlab/";

}  // namespace

const Schema& schema() {
  static const std::unique_ptr<const Schema> made = [] {
    auto whole = std::make_unique<Schema>();
    whole->add({.kind = Type::Kind::kScalar, .name = "Time", .description = "ISO 8601, in UTC"});
    add_user_types(*whole);
    add_project_types(*whole);
    add_agent_types(*whole);
    add_agent_details(*whole);
    add_query(*whole);
    add_mutations(*whole);
    return whole;
  }();
  return *made;
}

std::string global_id(std::string_view kind, std::int64_t id) {
  return std::string(kScheme) + std::string(kind) + "/" + std::to_string(id);
}

Result<std::int64_t> number_of(const std::string& global_id, std::string_view kind) {
  const std::string prefix = std::string(kScheme) + std::string(kind) + "/";
  if (global_id.starts_with(prefix)) {
    if (const auto id = parse_id(std::string_view(global_id).substr(prefix.size()))) return *id;
  }
  return fail(Code::kInvalidArgument, "\"" + global_id + "\" is not an id of the form " + prefix + "1");
}

Result<Value> null_if_hidden(const Status& status) {
  const bool hidden = status.code() == Code::kNotFound || status.code() == Code::kPermissionDenied;
  if (hidden) return nullptr;
  return fail(status);
}

Result<Value> find_user(Execution& in, std::int64_t id) {
  if (id == 0) return nullptr;
  auto user = in.core.db.read([&](soci::session& sql) { return UserTable(sql).by_id(id); });
  if (!user) return fail(user.error());
  return *user ? Value(Node::of(std::move(**user))) : Value(nullptr);
}

Result<Value> find_token(Execution& in, const AgentNode& agent, std::int64_t id) {
  if (id == 0) return nullptr;
  auto token = in.core.db.read([&](soci::session& sql) { return AgentTokenTable(sql).by_id(id); });
  if (!token) return fail(token.error());
  return *token ? Value(Node::of(TokenNode{std::move(**token), agent})) : Value(nullptr);
}

}  // namespace towline::control::graphql
