#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace towline::cli {

// Completion scripts for what `app` knows: commands, flags, the values of those that take one of a few, and
// files for those that take a file. Written from the tree itself, so that they cannot fall behind it.
std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace towline::cli
