#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include <boost/json/value.hpp>

namespace towline::control::graphql {

/// What stands behind an object of an answer: a record of some type, shared. Values.
class Node {
 public:
  Node() = default;
  template <typename T>
  static Node of(T record) {
    Node node;
    node.record_ = std::make_shared<const T>(std::move(record));
    node.type_ = &typeid(T);
    return node;
  }
  /// The record; a schema whose resolver takes it for another type is a bug, and ends the program.
  template <typename T>
  const T& as() const {
    if (type_ == nullptr || *type_ != typeid(T)) std::abort();
    return *static_cast<const T*>(record_.get());
  }

 private:
  std::shared_ptr<const void> record_;
  const std::type_info* type_ = nullptr;
};

/// What a resolver gives: null, a scalar, an object or a list of these.
class Value {
 public:
  using List = std::vector<Value>;

  Value(std::nullptr_t) : is_(boost::json::value(nullptr)) {}        // NOLINT: resolvers return plain
  Value(boost::json::value scalar) : is_(std::move(scalar)) {}       // NOLINT: values
  Value(const std::string& text) : is_(boost::json::value(text)) {}  // NOLINT
  Value(const char* text) : is_(boost::json::value(text)) {}         // NOLINT
  Value(bool flag) : is_(boost::json::value(flag)) {}                // NOLINT
  Value(std::int64_t number) : is_(boost::json::value(number)) {}    // NOLINT
  Value(Node node) : is_(std::move(node)) {}                         // NOLINT
  Value(List items) : is_(std::move(items)) {}                       // NOLINT

  const boost::json::value* scalar() const { return std::get_if<boost::json::value>(&is_); }
  const Node* node() const { return std::get_if<Node>(&is_); }
  const List* list() const { return std::get_if<List>(&is_); }
  bool is_null() const { return scalar() != nullptr && scalar()->is_null(); }

 private:
  std::variant<boost::json::value, Node, List> is_;
};

}  // namespace towline::control::graphql
