#include <memory>

#include <boost/json.hpp>

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/proxy_token.h"
#include "cli/settings.h"

namespace towline::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string agent;
  std::string url;
  std::string cache_mode = "file";
};

Status get_token(Program& program, const Options& options) {
  auto login = current_login(program.environment());
  if (!login) return login.error();
  if (!options.url.empty()) {
    const auto url = server_url(options.url);
    if (!url) return url.error();
    if (*url != login->url) {
      return {Code::kUnauthenticated, "not logged in to " + *url +
                                          ", which this cluster is reached through, but to " + login->url +
                                          ": run `towline login --url " + *url + "`"};
    }
  }
  ApiClient api(std::move(*login));
  ProxyTokens tokens(program.environment(), api, program.clock());
  const auto token = options.cache_mode == "no" ? tokens.create() : tokens.get();
  if (!token) return token.error();
  program.output().document(json::object{{"apiVersion", "client.authentication.k8s.io/v1"},
                                         {"kind", "ExecCredential"},
                                         {"spec", {{"interactive", false}}},
                                         {"status",
                                          {{"token", "pat:" + options.agent + ":" + token->value.reveal()},
                                           {"expirationTimestamp", token->expires}}}});
  return {};
}

}  // namespace

void add_get_token_command(Program& program, CLI::App* agent) {
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      program.add_command(agent, "get-token", "Print a credential for kubectl, which calls this by itself",
                          [&program, options] { return get_token(program, *options); });
  command->add_option("--agent", options->agent, "The agent's number")->required()->check(record_number());
  command->add_option("--url", options->url,
                      "The server that the credential is for; fails when logged in to another");
  command
      ->add_option("--cache-mode", options->cache_mode,
                   "Whether the token is kept in a file until it ends, or made anew each time")
      ->check(CLI::IsMember({"file", "no"}))
      ->capture_default_str();
}

}  // namespace towline::cli
