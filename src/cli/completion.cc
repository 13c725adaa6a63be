#include "cli/completion.h"

#include <sstream>

#include "cli/command_tree.h"

namespace towline::cli {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<std::string> flags_of(const CommandInfo& command) {
  std::vector<std::string> flags;
  for (const OptionInfo& option : command.options)
    flags.insert(flags.end(), option.names.begin(), option.names.end());
  return flags;
}

std::vector<std::string> words_of(const CommandInfo& command) {
  std::vector<std::string> words = command.values;
  for (const CommandInfo& each : command.commands) words.push_back(each.name());
  return words;
}

// In single quotes, as all three shells read them.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// `"towline login -u"|"towline login --url"`: an option of a command, for a shell's case.
std::string patterns_of(const CommandInfo& command, const OptionInfo& option) {
  std::vector<std::string> patterns;
  for (const std::string& name : option.names) patterns.push_back('"' + command.path + ' ' + name + '"');
  return joined(patterns, "|");
}

// The same of all options that take a value.
std::string value_patterns(const CommandInfo& root) {
  std::vector<std::string> patterns;
  for (const CommandInfo* command : all_commands(root)) {
    for (const OptionInfo& option : command->options) {
      if (option.takes_value) patterns.push_back(patterns_of(*command, option));
    }
  }
  return joined(patterns, "|");
}

std::string command_patterns(const CommandInfo& root) {
  std::vector<std::string> patterns;
  for (const CommandInfo* command : all_commands(root)) {
    if (command != &root) patterns.push_back('"' + command->path + '"');
  }
  return joined(patterns, "|");
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  const CommandInfo root = command_tree(app);
  std::ostringstream out;
  out << "# bash completion for towline. Use it: source <(towline completion bash)\n"
         "_towline() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=towline i\n"
         "  COMPREPLY=()\n"
         "  # --flag=value comes in three words\n"
         "  [[ $cur == = ]] && cur=\n"
         "  [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"$path ${COMP_WORDS[i]}\" in\n"
         "      "
      << command_patterns(root)
      << ") path+=\" ${COMP_WORDS[i]}\" ;;\n"
         "      "
      << value_patterns(root)
      << ") ((i++)) ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path $prev\" in\n";
  for (const CommandInfo* command : all_commands(root)) {
    for (const OptionInfo& option : command->options) {
      if (!option.takes_value) continue;
      out << "    " << patterns_of(*command, option) << ") ";
      if (option.is_file) {
        out << "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); ";
      } else if (!option.values.empty()) {
        out << "mapfile -t COMPREPLY < <(compgen -W " << quoted(joined(option.values)) << " -- \"$cur\"); ";
      }
      out << "return ;;\n";
    }
  }
  out << "  esac\n"
         "  case \"$path/$cur\" in\n";
  for (const CommandInfo* command : all_commands(root)) {
    out << "    \"" << command->path << "/\"-*) mapfile -t COMPREPLY < <(compgen -W "
        << quoted(joined(flags_of(*command))) << " -- \"$cur\") ;;\n";
    if (words_of(*command).empty()) continue;
    out << "    \"" << command->path << "/\"*) mapfile -t COMPREPLY < <(compgen -W "
        << quoted(joined(words_of(*command))) << " -- \"$cur\") ;;\n";
  }
  out << "  esac\n"
         "}\n"
         "complete -F _towline towline\n";
  return out.str();
}

namespace {

// "name:what it does" for zsh's _describe, where a colon in the name would be the separator.
std::string described(const std::string& name, const std::string& description) {
  std::string escaped;
  for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
  return quoted(escaped + ":" + description);
}

void zsh_values(std::ostream& out, const CommandInfo& command) {
  for (const OptionInfo& option : command.options) {
    if (!option.takes_value) continue;
    out << "    " << patterns_of(command, option) << ") ";
    if (option.is_file) out << "_files; ";
    if (!option.values.empty()) out << "compadd -- " << joined(option.values) << "; ";
    out << "return ;;\n";
  }
}

void zsh_words(std::ostream& out, const CommandInfo& command) {
  out << "    \"" << command.path << "\")\n      flags=(";
  for (const OptionInfo& option : command.options) {
    for (const std::string& name : option.names) out << "\n        " << described(name, option.description);
  }
  out << ")\n      words_=(";
  for (const CommandInfo& each : command.commands)
    out << "\n        " << described(each.name(), each.description);
  for (const std::string& value : command.values) out << "\n        " << quoted(value);
  out << ") ;;\n";
}

}  // namespace

std::string zsh_completion(const CLI::App& app) {
  const CommandInfo root = command_tree(app);
  std::ostringstream out;
  out << "#compdef towline\n"
         "# zsh completion for towline. Use it: source <(towline completion zsh), after compinit\n"
         "_towline() {\n"
         "  local at=towline i\n"
         "  local -a flags words_\n"
         "  for ((i = 2; i < CURRENT; i++)); do\n"
         "    case \"$at ${words[i]}\" in\n"
         "      "
      << command_patterns(root)
      << ") at+=\" ${words[i]}\" ;;\n"
         "      "
      << value_patterns(root)
      << ") ((i++)) ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$at ${words[CURRENT-1]}\" in\n";
  for (const CommandInfo* command : all_commands(root)) zsh_values(out, *command);
  out << "  esac\n"
         "  case \"$at\" in\n";
  for (const CommandInfo* command : all_commands(root)) zsh_words(out, *command);
  out << "  esac\n"
         "  if [[ ${words[CURRENT]} == -* ]]; then\n"
         "    _describe -o flag flags\n"
         "  elif (( ${#words_} )); then\n"
         "    _describe command words_\n"
         "  fi\n"
         "}\n"
         "if [[ ${funcstack[1]} == _towline ]]; then _towline \"$@\"; else compdef _towline towline; fi\n";
  return out.str();
}

std::string fish_completion(const CLI::App& app) {
  const CommandInfo root = command_tree(app);
  std::ostringstream out;
  out << "# fish completion for towline. Use it: towline completion fish | source\n"
         "function __towline_at\n"
         "    set -l at towline\n"
         "    set -l skip 0\n"
         "    for word in (commandline -opc)[2..]\n"
         "        if test $skip = 1\n"
         "            set skip 0\n"
         "            continue\n"
         "        end\n"
         "        switch \"$at $word\"\n";
  for (const CommandInfo* command : all_commands(root)) {
    if (command != &root)
      out << "            case " << quoted(command->path) << "\n                set at \"$at $word\"\n";
    for (const OptionInfo& option : command->options) {
      for (const std::string& name : option.names) {
        if (option.takes_value)
          out << "            case " << quoted(command->path + " " + name)
              << "\n                set skip 1\n";
      }
    }
  }
  out << "        end\n"
         "    end\n"
         "    test \"$at\" = \"$argv[1]\"\n"
         "end\n"
         "complete -c towline -f\n";
  for (const CommandInfo* command : all_commands(root)) {
    const std::string where = "complete -c towline -n " + quoted("__towline_at \"" + command->path + "\"");
    for (const CommandInfo& each : command->commands) {
      out << where << " -a " << each.name() << " -d " << quoted(each.description) << "\n";
    }
    if (!command->values.empty()) out << where << " -a " << quoted(joined(command->values)) << "\n";
    for (const OptionInfo& option : command->options) {
      out << where;
      for (const std::string& name : option.names) {
        out << (name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1));
      }
      if (option.takes_value) out << (option.is_file ? " -r -F" : " -x");
      if (!option.values.empty()) out << " -a " << quoted(joined(option.values));
      out << " -d " << quoted(option.description) << "\n";
    }
  }
  return out.str();
}

}  // namespace towline::cli
