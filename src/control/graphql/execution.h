#pragma once

#include <functional>
#include <optional>
#include <string>

#include "control/domain/accounts.h"
#include "control/domain/core.h"
#include "control/graphql/document.h"
#include "control/graphql/schema.h"

namespace towline::control::graphql {

/// What the resolvers of one request share.
struct Execution {
  Core& core;
  const Schema& schema;
  std::optional<Caller> caller;
  /// Notes a change that was made: the mutation and what it changed.
  std::function<void(const std::string& mutation, const std::string& target)> audit = [](auto&, auto&) {};
  std::int64_t nodes_left = Limits{}.nodes;
  bool settled = false;

  /// False when the answer would become larger than it may.
  bool spend(std::int64_t nodes) {
    nodes_left -= nodes;
    return nodes_left >= 0;
  }
  /// Makes agents' comings and goings visible that are noted but not yet in the database.
  void settle();
};

struct Outcome {
  boost::json::value data;
  std::vector<Problem> problems;
};

/// Runs an operation of a document that validate() has nothing against. Blocks.
Outcome execute(Execution& in, const Document& document, const Operation& operation,
                const boost::json::object& variables);

}  // namespace towline::control::graphql
