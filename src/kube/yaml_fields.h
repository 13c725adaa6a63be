#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/node/node.h>

#include "base/status.h"

namespace towline::kube {

/// A YAML mapping read field by field as Kubernetes reads its own: unknown fields are passed over, null is
/// the same as absent, of two equal keys the last one counts. The first field of a wrong type is kept as the
/// error of the document, with the way to it and its line; what is read after that does not matter.
class YamlFields {
 public:
  /// `where` is the way to the mapping, "users[0].user"; `error` outlives this. A node that is neither a
  /// mapping nor null is an error.
  YamlFields(YAML::Node node, std::string where, Status& error);

  /// The scalar as it is written, empty when absent. Unlike kubectl this takes numbers and `yes` for text.
  std::string text(std::string_view key) const;
  /// True, false, or false when absent; "true" in quotes is an error.
  bool boolean(std::string_view key) const;
  bool has(std::string_view key) const;
  YamlFields map(std::string_view key) const;
  std::vector<YamlFields> maps(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  /// The value as JSON text; empty when absent. For parts of a document that belong to others.
  std::string json(std::string_view key) const;

  const std::string& where() const { return where_; }

 private:
  YAML::Node find(std::string_view key) const;
  std::string scalar(const YAML::Node& node, const std::string& where) const;
  YAML::Node list(std::string_view key) const;
  std::string path(std::string_view key) const;
  void complain(const YAML::Node& node, const std::string& where, std::string_view what) const;

  YAML::Node node_;
  std::string where_;
  Status* error_;
};

}  // namespace towline::kube
