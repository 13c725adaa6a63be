#include "kas/flags.h"

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/files.h"
#include "kas/config_file.h"

namespace towline::kas {
namespace {

// A name that stands in a command for a shell without quotes, and has no tag or digest.
CLI::Validator image_name() {
  return {[](std::string& text) {
            static constexpr std::string_view kAllowed =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/:";
            const auto last = text.substr(text.rfind('/') + 1);
            const bool fits = !last.empty() && text.find_first_not_of(kAllowed) == std::string::npos &&
                              last.find(':') == std::string::npos;
            return fits ? std::string()
                        : "is not an image's name without tag, registry.example.com/towline/agentk";
          },
          "NAME"};
}

// A file that --config names is read as any other that a person names.
CLI::Validator readable_file() {
  return {[](std::string& path) {
            const auto text = read_file(path);
            return text ? std::string() : text.error().message();
          },
          "FILE"};
}

}  // namespace

ParsedFlags parse_flags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  CLI::App app(
      "kas is the Towline server: it connects people, pipelines and a web page with Kubernetes clusters.",
      "kas");
  app.set_version_flag("--version", std::string("kas ") + TOWLINE_VERSION);
  app.get_formatter()->column_width(44);
  const auto config = std::make_shared<ConfigFile>(app);
  app.config_formatter(config);
  app.set_config("--config", "", "YAML file with the same names as these flags")->check(readable_file());
  app.allow_config_extras(CLI::config_extras_mode::error);

  app.add_option("--data-dir", flags.data_dir,
                 "Folder of database, repositories and keys; made on first start")
      ->capture_default_str();
  app.add_option(
      "--database-url-file", flags.database_url_file,
      "File with postgresql://user:password@host/database, instead of SQLite in --data-dir; the text "
      "itself may be in $TOWLINE_DATABASE_URL");
  app.add_option("--listen", flags.listen, "host:port for everything: web, API, Git, proxy, agents")
      ->capture_default_str();
  app.add_option("--external-url", flags.external_url,
                 "Where people and agents find this server; default: https://<host name>:<port>");
  app.add_option(
      "--external-ca", flags.external_ca,
      "CA of the certificate at --external-url, for the commands that install agents: a PEM file, or "
      "system where clients know it already; default: the own one, without --tls-cert-file");
  app.add_option("--tls-cert-file", flags.tls_cert_file,
                 "PEM certificate chain; default: made on first start");
  app.add_option("--tls-key-file", flags.tls_key_file, "PEM key of --tls-cert-file");
  app.add_option(
         "--cleartext", flags.cleartext,
         "Who may connect without TLS: loopback (a proxy on this machine), allow or deny; default loopback")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, http::Cleartext>{{"loopback", http::Cleartext::kLoopback},
                                                 {"allow", http::Cleartext::kAllow},
                                                 {"deny", http::Cleartext::kDeny}}));
  std::vector<std::string> trusted_proxies;
  app.add_option(
         "--trusted-proxy", trusted_proxies,
         "Address or network of a reverse proxy whose X-Forwarded-For says where a request comes from; "
         "repeatable")
      ->allow_extra_args(false);
  app.add_option("--root-password-file", flags.root_password_file,
                 "First start: root's password; default: random");
  app.add_option("--root-token-file", flags.root_token_file,
                 "First start: root's access token; default: random");
  app.add_option("--token-lifetime-days", flags.token_lifetime_days,
                 "Days after which access tokens end that are made without an end; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 36'500));
  app.add_option("--audit-days", flags.audit_days, "Days that the audit log goes back; 0: without end")
      ->capture_default_str()
      ->check(CLI::Range(0, 36'500));
  app.add_option(
         "--agent-image", flags.agent_image,
         "Name of agentk's image, without tag, in the registry of your clusters; part of the commands "
         "that install agents; default: the chart's own")
      ->check(image_name());
  std::vector<std::string> outbound;
  app.add_option(
         std::string(io::kAllowFlag), outbound,
         "Address, network, host name or .suffix, with or without :port, that users may have this server "
         "dial though it is not public; repeatable")
      ->allow_extra_args(false);
  std::uint64_t push_mib = flags.repositories.push_bytes >> 20;
  std::uint64_t namespace_mib = flags.repositories.namespace_bytes >> 20;
  app.add_option("--max-push-mib", push_mib, "Size of one push to a repository, in MiB")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--max-namespace-storage-mib", namespace_mib,
                 "Size of all repositories of a top-level group or of a user, in MiB")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_option("--max-references-per-repository", flags.repositories.references,
                 "Branches and tags of a repository")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--observability-listen", flags.observability_listen,
                 "host:port of /metrics, /liveness, /readiness")
      ->capture_default_str();
  app.add_option("--max-requests-per-agent", flags.max_requests_per_agent,
                 "Requests at once on one agent; then 429")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--max-connections", flags.max_connections, "Connections at once")->capture_default_str();
  app.add_option("--agent-connections-per-token-minute", flags.agent_connections_per_token_minute,
                 "New connections that one agent token may make in a minute")
      ->capture_default_str();
  app.add_option("--max-connection-age", flags.max_connection_age_seconds,
                 "Seconds after which connections are renewed, less up to a tenth; 0: never")
      ->capture_default_str();
  app.add_option("--loops", flags.loops, "Event loops; 0: one for every two cores")->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--shutdown-timeout", flags.shutdown_timeout_seconds,
                 "Seconds that running requests have to finish after SIGTERM")
      ->capture_default_str();
  app.add_flag("--allow-core-dumps", flags.allow_core_dumps,
               "Let core dumps and debuggers of the same user have this process's memory, with its secrets");
  try {
    app.parse(argc, argv);
    if (const char* url = std::getenv("TOWLINE_DATABASE_URL")) flags.database_url = Secret(url);
    if (flags.tls_cert_file.empty() != flags.tls_key_file.empty()) {
      throw CLI::ValidationError("--tls-cert-file and --tls-key-file go together");
    }
    auto proxies = http::TrustedProxies::parse(trusted_proxies);
    if (!proxies) throw CLI::ValidationError("--trusted-proxy", proxies.error().message());
    flags.trusted_proxies = std::move(*proxies);
    flags.repositories.push_bytes = push_mib << 20;
    flags.repositories.namespace_bytes = namespace_mib << 20;
    auto policy = io::AddressPolicy::parse(outbound);
    if (!policy) throw CLI::ValidationError(std::string(io::kAllowFlag), policy.error().message());
    flags.outbound = std::move(*policy);
  } catch (const CLI::ParseError& error) {
    const std::string place = config->place_of(error.what());
    parsed.exit_code = app.exit(place.empty() ? error : CLI::ConfigError(place + error.what())) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace towline::kas
