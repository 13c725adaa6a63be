#include "cli/commands.h"

namespace towline::cli {

void add_version_command(Program& program) {
  program.add_command(&program.app(), "version", "Print the program's version", [&program] {
    program.output().line(std::string("towline ") + TOWLINE_VERSION);
    return Status();
  });
  program.app().set_version_flag("--version", std::string("towline ") + TOWLINE_VERSION,
                                 "Print the program's version");
}

}  // namespace towline::cli
