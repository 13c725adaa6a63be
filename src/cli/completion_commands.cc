#include "cli/commands.h"
#include "cli/completion.h"

namespace towline::cli {

void add_completion_commands(Program& program) {
  CLI::App* const completion =
      program.add_group(&program.app(), "completion", "Print a completion script for a shell");
  const auto add = [&](const char* shell, const char* description, std::string (*script)(const CLI::App&)) {
    program.add_command(completion, shell, description, [&program, script] {
      program.output().results() << script(program.app());
      return Status();
    });
  };
  add("bash", "For bash: source <(towline completion bash)", bash_completion);
  add("zsh", "For zsh: source <(towline completion zsh)", zsh_completion);
  add("fish", "For fish: towline completion fish | source", fish_completion);
}

}  // namespace towline::cli
