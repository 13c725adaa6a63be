#include "kube/yaml_fields.h"

#include <charconv>
#include <optional>
#include <utility>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <yaml-cpp/yaml.h>

namespace towline::kube {
namespace {

constexpr std::string_view kMergeKey = "<<";  // https://yaml.org/type/merge.html
// Merge keys of merge keys; a document that refers to itself ends here.
constexpr int kMaxMergeDepth = 8;
// An alias costs a few bytes to write and its whole target to copy.
constexpr int kMaxJsonNodes = 10'000;
constexpr int kMaxJsonDepth = 32;

bool plain(const YAML::Node& node) { return node.Tag() == "?"; }

std::optional<YAML::Node> lookup(const YAML::Node& map, std::string_view key, int depth) {
  std::optional<YAML::Node> found;
  std::optional<YAML::Node> merged;
  for (const auto& entry : map) {
    if (!entry.first.IsScalar()) continue;
    if (entry.first.Scalar() == key) found.emplace(entry.second);
    if (entry.first.Scalar() == kMergeKey && plain(entry.first)) merged.emplace(entry.second);
  }
  if (found || !merged || depth == kMaxMergeDepth) return found;
  if (merged->IsMap()) return lookup(*merged, key, depth + 1);
  if (!merged->IsSequence()) return found;
  for (const auto& base : *merged) {
    if (!base.IsMap()) continue;
    if (auto value = lookup(base, key, depth + 1)) return value;
  }
  return found;
}

template <typename T>
std::optional<T> number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

boost::json::value scalar_to_json(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (!plain(node)) return boost::json::string(text);
  if (bool value = false; YAML::convert<bool>::decode(node, value)) return value;
  if (const auto value = number<std::int64_t>(text)) return *value;
  // from_chars also reads "inf" and "nan", which JSON cannot say.
  const bool digits = text.find_first_of("0123456789") != std::string::npos;
  if (const auto value = number<double>(text); value && digits) return *value;
  return boost::json::string(text);
}

/// Nothing when the budget runs out.
std::optional<boost::json::value> to_json(const YAML::Node& node, int depth, int& budget) {
  if (--budget < 0 || depth > kMaxJsonDepth) return std::nullopt;
  if (node.IsSequence()) {
    boost::json::array array;
    for (const auto& item : node) {
      auto value = to_json(item, depth + 1, budget);
      if (!value) return std::nullopt;
      array.push_back(std::move(*value));
    }
    return array;
  }
  if (node.IsMap()) {
    boost::json::object object;
    for (const auto& entry : node) {
      auto value = to_json(entry.second, depth + 1, budget);
      if (!value || !entry.first.IsScalar()) return std::nullopt;
      object[entry.first.Scalar()] = std::move(*value);
    }
    return object;
  }
  if (node.IsScalar()) return scalar_to_json(node);
  return boost::json::value(nullptr);
}

}  // namespace

YamlFields::YamlFields(YAML::Node node, std::string where, Status& error)
    : node_(node), where_(std::move(where)), error_(&error) {
  if (!node_.IsMap() && !node_.IsNull()) complain(node_, where_, "must be a mapping");
}

void YamlFields::complain(const YAML::Node& node, const std::string& where, std::string_view what) const {
  if (!error_->ok()) return;
  const int line = node.Mark().line;
  std::string message = where.empty() ? "the document" : where;
  message += ": " + std::string(what);
  if (line >= 0) message += " (line " + std::to_string(line + 1) + ")";
  *error_ = Status(Code::kInvalidArgument, std::move(message));
}

std::string YamlFields::path(std::string_view key) const {
  return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
}

YAML::Node YamlFields::find(std::string_view key) const {
  if (!node_.IsMap()) return YAML::Node();
  return lookup(node_, key, 0).value_or(YAML::Node());
}

std::string YamlFields::scalar(const YAML::Node& node, const std::string& where) const {
  if (node.IsNull()) return {};
  if (!node.IsScalar()) {
    complain(node, where, "must be text");
    return {};
  }
  // It would end a path or an argument too early without anybody noticing.
  if (node.Scalar().find('\0') != std::string::npos) complain(node, where, "must not hold a null character");
  return node.Scalar();
}

std::string YamlFields::text(std::string_view key) const { return scalar(find(key), path(key)); }

bool YamlFields::boolean(std::string_view key) const {
  const YAML::Node node = find(key);
  bool value = false;
  if (node.IsNull()) return false;
  if (!node.IsScalar() || !plain(node) || !YAML::convert<bool>::decode(node, value)) {
    complain(node, path(key), "must be true or false, without quotes");
  }
  return value;
}

bool YamlFields::has(std::string_view key) const { return !find(key).IsNull(); }

YamlFields YamlFields::map(std::string_view key) const { return {find(key), path(key), *error_}; }

YAML::Node YamlFields::list(std::string_view key) const {
  const YAML::Node node = find(key);
  if (!node.IsSequence() && !node.IsNull()) complain(node, path(key), "must be a list");
  return node;
}

std::vector<YamlFields> YamlFields::maps(std::string_view key) const {
  std::vector<YamlFields> result;
  const YAML::Node node = list(key);
  for (std::size_t i = 0; node.IsSequence() && i < node.size(); ++i) {
    result.emplace_back(node[i], path(key) + "[" + std::to_string(i) + "]", *error_);
  }
  return result;
}

std::vector<std::string> YamlFields::texts(std::string_view key) const {
  std::vector<std::string> result;
  const YAML::Node node = list(key);
  for (std::size_t i = 0; node.IsSequence() && i < node.size(); ++i) {
    result.push_back(scalar(node[i], path(key) + "[" + std::to_string(i) + "]"));
  }
  return result;
}

std::string YamlFields::json(std::string_view key) const {
  const YAML::Node node = find(key);
  if (node.IsNull()) return {};
  int budget = kMaxJsonNodes;
  const auto value = to_json(node, 0, budget);
  if (!value) {
    complain(node, path(key), "cannot be turned into JSON, or is too large");
    return {};
  }
  return boost::json::serialize(*value);
}

}  // namespace towline::kube
