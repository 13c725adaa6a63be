#pragma once

#include "cli/program.h"

namespace towline::cli {

// One function for each group of commands, in a file of the group's name.
void add_session_commands(Program& program);  // login, logout
void add_project_commands(Program& program);  // project ...
void add_agent_commands(Program& program);    // cluster agent ...: makes the group and calls the next four
void add_doctor_command(Program& program, CLI::App* agent);
void add_agent_token_commands(Program& program, CLI::App* agent);
void add_update_kubeconfig_command(Program& program, CLI::App* agent);
void add_get_token_command(Program& program, CLI::App* agent);
void add_completion_commands(Program& program);  // completion bash|zsh|fish
void add_version_command(Program& program);

}  // namespace towline::cli
