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
  /// Limit: levels of nesting in an agent's configuration file, which needs 8; more is a fault.
  int depth = 32;
  /// Limit: nodes of an agent's configuration file with aliases written out, which is what a reader of the
  /// tree visits at most; more is a fault.
  std::size_t nodes = 50'000;
};

/// Parses one document in UTF-8. Null for an empty one. Merge keys ("<<") are YAML 1.1's: what they bring
/// stands among the map's own entries, which win. A map with a key twice, an alias inside of what it names, a
/// quote that is not closed, a second document, what is no text and whatever exceeds the limits is a fault.
std::expected<std::shared_ptr<const Node>, Fault> parse_yaml(const std::string& text,
                                                             const YamlLimits& limits = {});

}  // namespace towline::control::config
