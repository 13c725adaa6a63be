#include "kas/config_file.h"

#include <algorithm>
#include <cctype>
#include <istream>
#include <sstream>
#include <string_view>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "base/typing.h"

namespace towline::kas {
namespace {

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

// A flag's values: one, or a list for a flag that may be repeated.
std::vector<std::string> values_of(const YAML::Node& value) {
  std::vector<std::string> values;
  if (value.IsScalar()) values.push_back(value.Scalar());
  if (!value.IsSequence()) return values;
  for (const auto& one : value) {
    if (!one.IsScalar()) return {};
    values.push_back(one.Scalar());
  }
  return values;
}

// The flags that a file may set, as it names them.
std::vector<std::string_view> keys_of(const CLI::App& app) {
  std::vector<std::string_view> keys;
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_config_ptr() || option == app.get_help_ptr() || option == app.get_version_ptr())
      continue;
    for (const std::string& name : option->get_lnames()) keys.emplace_back(name);
  }
  return keys;
}

}  // namespace

std::string ConfigFile::name() const { return app_.get_config_ptr()->results().front(); }

void ConfigFile::refuse(int line, const std::string& why) const {
  throw CLI::ConfigError(name() + (line > 0 ? ":" + std::to_string(line) : "") + ": " + why);
}

CLI::ConfigItem ConfigFile::item(const std::string& key, int line, std::vector<std::string> values) const {
  const std::vector<std::string_view> known = keys_of(app_);
  if (std::find(known.begin(), known.end(), key) == known.end()) {
    const std::string_view near = nearest_word(key, known);
    refuse(line, "unknown key \"" + key + "\"" +
                     (near.empty() ? "; kas --help has the flags, whose names are the keys"
                                   : "; did you mean \"" + std::string(near) + "\"?"));
  }
  const auto [first, fresh] = lines_.emplace(key, line);
  if (!fresh) refuse(line, "\"" + key + "\" occurs twice, first on line " + std::to_string(first->second));
  const CLI::Option* const option = app_.get_option_no_throw("--" + key);
  if (values.empty())
    refuse(line, "\"" + key + "\" must have a single value, or a list of those where it is repeatable");
  if (values.size() > 1 && option->get_expected_max() <= 1)
    refuse(line, "\"" + key + "\" takes one value, and here is a list of " + std::to_string(values.size()));
  CLI::ConfigItem made;
  made.name = key;
  made.inputs = std::move(values);
  return made;
}

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
  std::ostringstream text;
  text << input.rdbuf();
  std::vector<CLI::ConfigItem> found;
  lines_.clear();
  try {
    const YAML::Node root = YAML::Load(text.str());
    if (!root || root.IsNull()) return found;
    if (!root.IsMap()) refuse(line_of(root), "the file must be a map of flag names to values");
    for (const auto& entry : root) {
      const YAML::Node& key = entry.first;
      const YAML::Node& value = entry.second;
      if (!key.IsScalar()) refuse(line_of(key), "a key must be the name of a flag");
      if (value.IsSequence() && value.size() == 0) continue;  // none of a repeatable flag
      found.push_back(item(key.Scalar(), line_of(key), values_of(value)));
    }
  } catch (const YAML::Exception& error) {
    refuse(error.mark.line + 1, "not YAML: " + error.msg);
  }
  return found;
}

std::string ConfigFile::place_of(const std::string& complaint) const {
  for (const auto& [key, line] : lines_) {
    const auto at = complaint.find("--" + key);
    if (at == std::string::npos) continue;
    // Not the beginning of a longer name.
    const auto end = at + 2 + key.size();
    if (end < complaint.size() &&
        (std::isalnum(static_cast<unsigned char>(complaint[end])) != 0 || complaint[end] == '-'))
      continue;
    return name() + ":" + std::to_string(line) + ": ";
  }
  return {};
}

}  // namespace towline::kas
