#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "base/status.h"
#include "cli/environment.h"
#include "cli/output.h"

namespace towline::cli {

/// What the program ends with, so that scripts can tell failures apart.
enum ExitCode { kDone = 0, kFailed = 1, kWrongUsage = 2, kNotLoggedIn = 3, kForbidden = 4, kNotFound = 5 };

ExitCode exit_code(const Status& status);

/// Accepts what can be the number of a record of the API.
CLI::Validator record_number();

/// The whole command line: the tree of commands, and what they share. Commands are added by the functions of
/// commands.h; each sets the action that runs when it is the one that was called.
class Program {
 public:
  using Action = std::function<Status()>;

  Program(Environment environment, const Clock& clock, std::istream& input, std::ostream& output,
          std::ostream& errors);

  /// Parses and runs; explains every failure on the error stream.
  int run(int argc, const char* const* argv);

  CLI::App& app() { return app_; }
  const Environment& environment() const { return environment_; }
  const Clock& clock() const { return clock_; }
  std::istream& input() { return input_; }
  Output& output() { return output_; }

  /// A command below `parent`. A command that has commands below itself takes no action.
  CLI::App* add_group(CLI::App* parent, const std::string& name, const std::string& description);
  CLI::App* add_command(CLI::App* parent, const std::string& name, const std::string& description,
                        Action action);
  /// Gives the command -o, --output.
  void add_output_option(CLI::App* command);

 private:
  int explain(const CLI::ParseError& error);
  int explain(const Status& status);

  Environment environment_;
  const Clock& clock_;
  std::istream& input_;
  std::ostream& errors_;
  Output output_;
  CLI::App app_;
  std::string format_ = "table";
  Action action_;
};

}  // namespace towline::cli
