#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace towline::control::config {

/// Where something stands in a file, both from 1; 0 where there is no place.
struct Place {
  int line = 0;
  int column = 0;
};

/// What is wrong, and where.
struct Fault {
  Place place;
  std::string message;

  /// ".gitlab/agents/a/config.yaml:3:5: unknown key".
  std::string describe(std::string_view file) const;
};

/// A YAML document as it stands: every node knows its place. Aliases share the node that they name.
struct Node {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  Place place;
  std::string text;     // of a scalar
  bool quoted = false;  // the scalar was quoted or tagged a string, so that "true" is text
  std::vector<std::shared_ptr<const Node>> items;                                            // of a sequence
  std::vector<std::pair<std::shared_ptr<const Node>, std::shared_ptr<const Node>>> entries;  // of a map
};

struct YamlLimits {
  std::size_t bytes = 128 * 1024;
  /// Levels of nesting; configuration needs 8.
  int depth = 32;
  /// Nodes with aliases written out: what a reader of the tree visits at most.
  std::size_t nodes = 50'000;
};

/// Parses one document. Null for an empty one. A map with a key twice, an alias inside of what it names, a
/// second document and whatever exceeds the limits is a fault.
std::expected<std::shared_ptr<const Node>, Fault> parse_yaml(const std::string& text,
                                                             const YamlLimits& limits = {});

}  // namespace towline::control::config
