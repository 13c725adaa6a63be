#pragma once

#include <string>

#include <yaml-cpp/yaml.h>

#include "base/status.h"

namespace towline::cli {

/// The node as YAML text. What was quoted stays quoted, which yaml-cpp's own output forgets: the text "123"
/// must not become a number. Fails for documents nested absurdly deep, as those that contain themselves are.
Result<std::string> yaml_text(const YAML::Node& root);

/// A scalar that yaml_text() writes in quotes.
YAML::Node quoted(const std::string& text);

}  // namespace towline::cli
