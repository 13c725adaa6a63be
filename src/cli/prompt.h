#pragma once

#include <istream>
#include <string>

#include "base/secret.h"
#include "base/status.h"

namespace towline::cli {

/// Whether somebody sits at standard input.
bool at_terminal();

/// Asks at the terminal without showing what is typed; nothing of it reaches the output.
Result<Secret> ask_secret(const std::string& question);
/// Asks at the terminal for a line of text.
Result<std::string> ask(const std::string& question);

/// All of `input`, without white space around it.
Secret read_secret(std::istream& input);

}  // namespace towline::cli
