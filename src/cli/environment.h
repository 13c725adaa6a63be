#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/status.h"

namespace towline::cli {

/// The variables of the process, taken in once so that tests give their own.
class Environment {
 public:
  using Variables = std::map<std::string, std::string>;
  explicit Environment(Variables variables) : variables_(std::move(variables)) {}
  static Environment of_process();

  /// The value, empty when unset.
  std::string get(const std::string& name) const;

  /// $XDG_CONFIG_HOME/towline or ~/.config/towline; fails when neither variable is of use.
  Result<std::filesystem::path> config_folder() const;
  /// $XDG_CACHE_HOME/towline or ~/.cache/towline.
  Result<std::filesystem::path> cache_folder() const;

 private:
  Result<std::filesystem::path> folder(const std::string& variable, const char* below_home) const;
  Variables variables_;
};

}  // namespace towline::cli
