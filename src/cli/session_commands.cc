#include <filesystem>
#include <memory>

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/prompt.h"
#include "cli/proxy_token.h"
#include "cli/settings.h"

namespace towline::cli {
namespace {

struct LoginOptions {
  std::string url;
  std::string ca_file;
  bool token_stdin = false;
};

Result<std::string> wanted_url(const LoginOptions& options, const Environment& environment) {
  std::string url = options.url.empty() ? environment.get("TOWLINE_URL") : options.url;
  if (url.empty() && !options.token_stdin && at_terminal()) {
    auto answer = ask("Server (https://host:port): ");
    if (!answer) return fail(answer.error());
    url = std::move(*answer);
  }
  if (url.empty()) return fail(Code::kInvalidArgument, "which server? Give --url https://host:port");
  return server_url(url);
}

Result<Secret> wanted_token(Program& program, const LoginOptions& options) {
  if (!options.token_stdin && !at_terminal()) {
    return fail(
        Code::kInvalidArgument,
        "there is no terminal to ask for the token: write it to standard input and give --token-stdin");
  }
  auto token = options.token_stdin ? Result<Secret>(read_secret(program.input()))
                                   : ask_secret("Personal access token, with the scope api: ");
  if (token && token->empty()) return fail(Code::kInvalidArgument, "the token is empty");
  if (token && token->reveal().find_first_of(" \t\r\n") != std::string::npos) {
    return fail(Code::kInvalidArgument, "the token has white space in it: give the token and nothing else");
  }
  return token;
}

// An absolute path, so that it holds wherever the next command is run.
Result<std::string> wanted_ca(const LoginOptions& options, const Environment& environment) {
  const std::string given = options.ca_file.empty() ? environment.get("TOWLINE_CA") : options.ca_file;
  if (given.empty()) return std::string();
  if (const auto readable = read_file(given); !readable)
    return fail(readable.error().with_prefix("--ca-file"));
  std::error_code error;
  const auto path = std::filesystem::absolute(given, error);
  return error ? given : path.lexically_normal().string();
}

Status log_in(Program& program, const LoginOptions& options) {
  const auto url = wanted_url(options, program.environment());
  if (!url) return url.error();
  const auto ca = wanted_ca(options, program.environment());
  if (!ca) return ca.error();
  const auto token = wanted_token(program, options);
  if (!token) return token.error();
  const auto file = SettingsFile::of(program.environment());
  if (!file) return file.error();
  const Login login{*url, *token, *ca};
  const auto user = ApiClient(login).get("/user");
  if (!user) return user.error();
  if (Status status = file->save(login); !status.ok()) return status;
  program.output().line("Logged in to " + login.url + " as " + field(*user, "username") + ".");
  for (const char* name : {"TOWLINE_URL", "TOWLINE_TOKEN", "TOWLINE_CA"}) {
    if (!program.environment().get(name).empty()) {
      program.output().note(std::string("Note: ") + name + " is set, and counts more than this login.");
    }
  }
  return {};
}

Status log_out(Program& program) {
  const auto file = SettingsFile::of(program.environment());
  if (!file) return file.error();
  const auto login = file->load();
  if (login && *login) {
    ApiClient api(**login);
    const Status revoked = ProxyTokens(program.environment(), api, program.clock()).forget();
    if (!revoked.ok())
      program.output().note("Note: kubectl's token stays valid until midnight UTC: " + revoked.message());
  }
  const auto removed = file->remove();
  if (!removed) return removed.error();
  program.output().line(*removed
                            ? "Logged out. The personal access token itself stays valid until it is revoked."
                            : "Not logged in; nothing to do.");
  return {};
}

}  // namespace

void add_session_commands(Program& program) {
  auto options = std::make_shared<LoginOptions>();
  CLI::App* const login = program.add_command(
      &program.app(), "login", "Check a personal access token and keep it for the other commands",
      [&program, options] { return log_in(program, *options); });
  login->add_option("--url", options->url, "The server, https://host:port; default: $TOWLINE_URL");
  login->add_flag("--token-stdin", options->token_stdin,
                  "Read the token from standard input instead of asking for it at the terminal");
  login
      ->add_option("--ca-file", options->ca_file,
                   "PEM file with the CA of the server's certificate; default: $TOWLINE_CA")
      ->type_name("FILE");
  login->footer(
      "The token is written to ${XDG_CONFIG_HOME:-~/.config}/towline/config.yaml, readable by you only.\n"
      "TOWLINE_URL, TOWLINE_TOKEN and TOWLINE_CA in the environment count more than that file.");
  program.add_command(&program.app(), "logout", "Forget the token, and revoke the one made for kubectl",
                      [&program] { return log_out(program); });
}

}  // namespace towline::cli
