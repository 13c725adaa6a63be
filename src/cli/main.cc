#include <iostream>

#include "cli/program.h"

int main(int argc, char** argv) {
  using namespace towline;
  const SystemClock clock;
  return cli::Program(cli::Environment::of_process(), clock, std::cin, std::cout, std::cerr).run(argc, argv);
}
