#pragma once

#include <expected>
#include <optional>
#include <string>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "control/graphql/document.h"
#include "control/graphql/schema.h"

namespace towline::control::graphql {

/// `given` as a value of the type: single items become lists, defaults are filled in, numbers given for an ID
/// become texts. The error says what does not fit.
std::expected<boost::json::value, std::string> coerce(const Schema& schema, const TypeRef& type,
                                                      const boost::json::value& given);

/// The literal with its variables in their places. Nothing for a variable that was not given.
std::optional<boost::json::value> resolve(const Literal& literal, const boost::json::object& variables);

/// What does not fit about a literal that is to be of the type; variables fit everywhere. Empty: it fits.
std::string misfit(const Schema& schema, const TypeRef& type, const Literal& literal);

/// The values of the operation's variables, of those `given` and of the defaults.
Checked<boost::json::object> coerce_variables(const Schema& schema, const Operation& operation,
                                              const boost::json::object& given);

/// The arguments of a field or directive as its definition has them.
std::expected<boost::json::object, std::string> coerce_arguments(const Schema& schema,
                                                                 const std::vector<InputValue>& defined,
                                                                 const std::vector<Argument>& given,
                                                                 const boost::json::object& variables);

}  // namespace towline::control::graphql
