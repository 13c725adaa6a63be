#include <csignal>
#include <iostream>

#include "cli/program.h"

int main(int argc, char** argv) {
  using namespace towline;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error that is told, not a death
  const SystemClock clock;
  return cli::Program(cli::Environment::of_process(), clock, std::cin, std::cout, std::cerr).run(argc, argv);
}
