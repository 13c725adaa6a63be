#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace towline::kas {

/// kas's YAML file: a map of flags' names, without dashes before them, to their values; a list for a flag
/// that may be repeated. Each fault is said with file, line and key.
class ConfigFile final : public CLI::Config {
 public:
  /// `app` has the flags, and outlives this.
  explicit ConfigFile(const CLI::App& app) : app_(app) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

  /// "kas.yaml:3: " when a complaint of CLI11 is about a flag whose value the file gives; else empty.
  std::string place_of(const std::string& complaint) const;

 private:
  [[noreturn]] void refuse(int line, const std::string& why) const;
  std::string name() const;
  CLI::ConfigItem item(const std::string& key, int line, std::vector<std::string> values) const;

  const CLI::App& app_;
  mutable std::map<std::string, int> lines_;  // of the keys, from 1; CLI11 reads by a const function
};

}  // namespace towline::kas
