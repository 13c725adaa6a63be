#include "cli/command_tree.h"

namespace towline::cli {
namespace {

// CLI11 tells the members of IsMember only in a type's name: "TEXT:{json,table}".
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{');
  const auto close = type.find('}');
  std::vector<std::string> values;
  if (open == std::string::npos || close == std::string::npos) return values;
  for (std::size_t start = open + 1; start < close;) {
    const auto end = std::min(type.find(',', start), close);
    values.push_back(type.substr(start, end - start));
    start = end + 1;
  }
  return values;
}

OptionInfo info_of(const CLI::Option& option) {
  OptionInfo info{.description = option.get_description(),
                  .takes_value = option.get_items_expected_max() > 0,
                  .is_file = option.get_type_name() == "FILE",
                  .values = values_of(option)};
  for (const std::string& name : option.get_snames()) info.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) info.names.push_back("--" + name);
  return info;
}

CommandInfo info_of(const CLI::App& app, const std::string& path) {
  CommandInfo info{.path = path, .description = app.get_description()};
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) info.options.push_back(info_of(*option));
    if (option->get_positional()) info.values = values_of(*option);
  }
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    info.commands.push_back(info_of(*each, path + " " + each->get_name()));
  }
  return info;
}

void collect(const CommandInfo& from, std::vector<const CommandInfo*>& into) {
  into.push_back(&from);
  for (const CommandInfo& each : from.commands) collect(each, into);
}

}  // namespace

CommandInfo command_tree(const CLI::App& app) { return info_of(app, app.get_name()); }

std::vector<const CommandInfo*> all_commands(const CommandInfo& root) {
  std::vector<const CommandInfo*> all;
  collect(root, all);
  return all;
}

}  // namespace towline::cli
