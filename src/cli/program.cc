#include "cli/program.h"

#include <ostream>

#include "cli/commands.h"

namespace towline::cli {
namespace {

// "towline cluster agent" of the innermost command that was named.
std::string named_command(const CLI::App& app) {
  std::string path = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  return path;
}

}  // namespace

ExitCode exit_code(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return kDone;
    case Code::kInvalidArgument:
      return kWrongUsage;
    case Code::kUnauthenticated:
      return kNotLoggedIn;
    case Code::kPermissionDenied:
      return kForbidden;
    case Code::kNotFound:
      return kNotFound;
    default:
      return kFailed;
  }
}

CLI::Validator record_number() {
  const auto check = [](const std::string& text) {
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos && text.size() <= 18;
    return digits && text.find_first_not_of('0') != std::string::npos
               ? std::string()
               : "\"" + text + "\" is not a number of 1 or more";
  };
  return {check, "", "record_number"};
}

Program::Program(Environment environment, const Clock& clock, std::istream& input, std::ostream& output,
                 std::ostream& errors)
    : environment_(std::move(environment)),
      clock_(clock),
      input_(input),
      errors_(errors),
      output_(output, errors),
      app_("The command line of a Towline server: projects, agents, and kubectl's way to their clusters.",
           "towline") {
  app_.get_formatter()->column_width(38);
  app_.require_subcommand(1);
  app_.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not logged in, 4 forbidden, 5 not found.");
  add_session_commands(*this);
  add_project_commands(*this);
  add_agent_commands(*this);
  add_completion_commands(*this);
  add_version_command(*this);
}

CLI::App* Program::add_group(CLI::App* parent, const std::string& name, const std::string& description) {
  return parent->add_subcommand(name, description)->require_subcommand(1);
}

CLI::App* Program::add_command(CLI::App* parent, const std::string& name, const std::string& description,
                               Action action) {
  CLI::App* const command = parent->add_subcommand(name, description);
  command->final_callback([this, action = std::move(action)] { action_ = action; });
  return command;
}

void Program::add_output_option(CLI::App* command) {
  command->add_option("-o,--output", format_, "What the result looks like")
      ->check(CLI::IsMember({"table", "json"}))
      ->default_str("table");
}

int Program::explain(const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {  // --help
    std::ostream& results = output_.results();
    app_.exit(error, results, errors_);
    return output_.flush() ? kDone : kFailed;
  }
  // CLI11 misses what is required before it tells what it does not know.
  const auto unknown = app_.remaining(true);
  const std::string what = unknown.empty() ? error.what() : "what is \"" + unknown.front() + "\"?";
  errors_ << "towline: " << printable(what) << "\nSee `" << named_command(app_) << " --help`.\n";
  return kWrongUsage;
}

int Program::explain(const Status& status) {
  if (!status.ok()) errors_ << "towline: " << printable(status.message(), true) << '\n';
  if (!output_.flush() && status.ok()) {
    errors_ << "towline: the result cannot be written\n";
    return kFailed;
  }
  return exit_code(status);
}

int Program::run(int argc, const char* const* argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain(error);
  }
  output_.use_json(format_ == "json");
  return explain(action_ ? action_() : Status(Code::kInvalidArgument, "no command was given"));
}

}  // namespace towline::cli
