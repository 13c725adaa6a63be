#include "agentk/server_side.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/files.h"
#include "io/tls.h"

namespace towline::agentk {
namespace {

using TlsContext = Result<std::shared_ptr<io::TlsClientContext>>;

Result<http::Headers> parse_headers(const std::vector<std::string>& lines) {
  http::Headers headers;
  for (const std::string& line : lines) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon == 0) {
      return fail(Code::kInvalidArgument, "--kas-header: write 'Name: value'");
    }
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(line.begin(), line.end(), control)) {
      return fail(Code::kInvalidArgument, "--kas-header " + line.substr(0, colon) +
                                              ": holds a line break or another control character");
    }
    const auto value = line.find_first_not_of(' ', colon + 1);
    headers.add(line.substr(0, colon), value == std::string::npos ? "" : line.substr(value));
  }
  return headers;
}

TlsContext server_tls(const Flags& flags) {
  io::TlsClientOptions tls;
  tls.insecure_skip_verify = flags.kas_insecure_skip_tls_verify;
  if (!flags.kas_ca_cert_file.empty()) {
    Result<std::string> ca = read_file(flags.kas_ca_cert_file);
    if (!ca) return fail(ca.error().with_prefix("--kas-ca-cert-file"));
    tls.ca = std::move(*ca);
    tls.add_system_ca = true;
  }
  auto context = io::TlsClientContext::create(tls);
  if (!context) return fail(context.error().with_prefix("--kas-ca-cert-file"));
  return context;
}

TlsContext proxy_tls(const Result<io::ProxySettings>& proxies) {
  if (!proxies || !proxies->any()) return nullptr;
  return io::TlsClientContext::create({});
}

Result<Url> server_address(const std::string& text) {
  Result<Url> address = tunnel::parse_server_address(text);
  if (!address) return fail(address.error().with_prefix("--kas-address"));
  return address;
}

}  // namespace

doctor::ServerSide server_side(const Flags& flags, io::Resolver& resolver) {
  Result<Url> address = server_address(flags.kas_address);
  auto proxies = io::ProxySettings::from_environment([](const char* name) { return std::getenv(name); });
  const PodIdentity pod = PodIdentity::from_environment();
  return {.address_text = without_credentials(flags.kas_address),
          .address = address,
          .proxies = proxies,
          .tls = address && tunnel::uses_tls(*address) ? server_tls(flags) : TlsContext(nullptr),
          .proxy_tls = proxy_tls(proxies),
          .tls_server_name = flags.kas_tls_server_name,
          .headers = parse_headers(flags.kas_headers),
          .user_agent = "gitlab-agent/v" TOWLINE_VERSION "/towline",
          .token = [flags] { return read_token(flags); },
          .agent_version = "v" TOWLINE_VERSION,
          .pod_namespace = pod.namespace_,
          .pod_name = pod.name,
          .resolver = &resolver};
}

Result<tunnel::ConnectorOptions> connector_options(const doctor::ServerSide& server) {
  if (!server.address) return fail(server.address.error());
  if (auto token = server.token(); !token) return fail(token.error());
  if (!server.headers) return fail(server.headers.error());
  if (!server.proxies) return fail(server.proxies.error());
  if (!server.tls) return fail(server.tls.error());
  if (!server.proxy_tls) return fail(server.proxy_tls.error());
  tunnel::ConnectorOptions options;
  options.address = *server.address;
  options.tls = *server.tls;
  options.tls_server_name = server.tls_server_name;
  options.token = server.token;
  options.user_agent = server.user_agent;
  options.headers = *server.headers;
  // The server is trusted with the agent anyway; its streams are bounded by max_streams.
  options.limits.streams = 0;
  return options;
}

}  // namespace towline::agentk
