#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace towline::cli {

/// What completion needs to know of one option.
struct OptionInfo {
  std::vector<std::string> names;  // with their dashes
  std::string description;
  bool takes_value = false;
  bool is_file = false;
  std::vector<std::string> values;  // the only ones, where there are such
};

/// One command with what may follow it.
struct CommandInfo {
  std::string path;  // "towline cluster agent"
  std::string description;
  std::vector<CommandInfo> commands;
  std::vector<OptionInfo> options;
  std::vector<std::string> values;  // of its positional argument, where there are only some
  std::string name() const { return path.substr(path.rfind(' ') + 1); }
};

CommandInfo command_tree(const CLI::App& app);

/// The tree as a list, outer commands first.
std::vector<const CommandInfo*> all_commands(const CommandInfo& root);

}  // namespace towline::cli
