#pragma once

#include <cstddef>
#include <string>

#include "base/secret.h"
#include "control/repository_limits.h"
#include "http/host.h"
#include "http/trusted_proxies.h"
#include "io/address_policy.h"

namespace towline::kas {

/// kas's command line, or its YAML file with the same names.
struct Flags {
  std::string data_dir = "towline-data";
  std::string listen = "0.0.0.0:8150";
  std::string external_url;
  std::string external_ca;  // a file, "system", or empty
  std::string tls_cert_file;
  std::string tls_key_file;
  http::Cleartext cleartext = http::Cleartext::kLoopback;
  http::TrustedProxies trusted_proxies;
  std::string database_url_file;
  Secret database_url;  // from the environment; the file goes before it
  std::string root_password_file;
  std::string root_token_file;
  int token_lifetime_days = 365;
  int audit_days = 365;
  std::string agent_image;
  io::AddressPolicy outbound;
  control::RepositoryLimits repositories;
  std::string observability_listen = "127.0.0.1:8151";
  std::size_t max_requests_per_agent = 4096;
  std::size_t max_connections = 50'000;
  std::size_t agent_connections_per_token_minute = 100;
  std::size_t loops = 0;  // 0: one for each core
  std::string log_level = "info";
  int shutdown_timeout_seconds = 60;
  int max_connection_age_seconds = 7200;
  bool allow_core_dumps = false;
};

struct ParsedFlags {
  Flags flags;
  int exit_code = -1;  // 0 or more: end the program
};
ParsedFlags parse_flags(int argc, const char* const* argv);

}  // namespace towline::kas
