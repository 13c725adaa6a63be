#pragma once

#include <functional>
#include <vector>

#include "base/status.h"
#include "control/graphql/schema.h"
#include "control/store/records.h"

namespace towline::control::graphql {

/// first, after, last and before, and any more.
std::vector<InputValue> page_arguments(std::vector<InputValue> more = {});

/// The part of a list that the arguments of the call ask for; `load` gives any part of it, with the list's
/// length. A cursor is a place in the list, as the API's pages are: what is added or removed before it shifts
/// it.
Result<Value> connect(Call& call, const std::function<Result<Listed<Value>>(Page)>& load);
/// The same of a list that is at hand.
Result<Value> connect(Call& call, const std::vector<Value>& items);

Type connection_type(const std::string& node);
Type edge_type(const std::string& node);
Type page_info_type();

}  // namespace towline::control::graphql
