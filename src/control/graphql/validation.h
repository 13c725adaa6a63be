#pragma once

#include <vector>

#include "control/graphql/document.h"
#include "control/graphql/schema.h"

namespace towline::control::graphql {

/// What is wrong with a document by the schema (specification of October 2021, section 5), and whether it
/// asks for too much. Variables that are declared and not used are accepted: clients keep them around. Not
/// all problems are told when there are many.
std::vector<Problem> validate(const Schema& schema, const Document& document, const Limits& limits = {});

/// The parts of validate(), in the order in which they rely on each other.
/// Names are unique, fragments exist, are used and do not contain themselves.
std::vector<Problem> validate_structure(const Schema& schema, const Document& document);
/// Depth and size of each operation with its fragments.
std::vector<Problem> validate_size(const Document& document, const Limits& limits);
/// Fields, arguments, directives, literals and variables fit the schema.
std::vector<Problem> validate_fields(const Schema& schema, const Document& document,
                                     const Operation& operation);
/// What stands under one key of an answer is one field.
std::vector<Problem> validate_overlaps(const Document& document, const Operation& operation);

}  // namespace towline::control::graphql
