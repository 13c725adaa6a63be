#pragma once

#include <string_view>

#include "control/graphql/document.h"

namespace towline::control::graphql {

/// Reads the text of a request: queries, mutations and fragments (specification of October 2021, section 2).
/// What it says is not looked at; see validate().
Checked<Document> parse(std::string_view text, const Limits& limits = {});

}  // namespace towline::control::graphql
