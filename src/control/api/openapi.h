#pragma once

#include <span>

#include <boost/json/object.hpp>

#include "control/api/router.h"

namespace towline::control::api {

/// Every table of routes, in the order in which they are tried.
std::span<const std::span<const Route>> all_routes();

/// The description of `tables` by OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).
boost::json::object describe(const Core& core, std::span<const std::span<const Route>> tables);

}  // namespace towline::control::api
