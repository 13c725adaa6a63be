#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "kube/config.h"
#include "kube/credentials.h"
#include "kube/environment.h"
#include "kube/exec_credentials.h"
#include "kube/files.h"
#include "kube/in_cluster.h"
#include "kube/kubeconfig.h"
#include "kube/selection.h"
#include "kube/tls_source.h"

namespace towline::kube {
namespace {

/// The paths of $KUBECONFIG: separated by colons, empty ones passed over.
std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> paths;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) paths.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

std::string joined(const std::vector<std::string>& paths) {
  std::string text = "kubeconfig ";
  for (std::size_t i = 0; i < paths.size(); ++i) text += (i == 0 ? "" : ":") + paths[i];
  return text;
}

Result<Selection> from_explicit_file(const Overrides& overrides) {
  const Result<Secret> text = read_file(overrides.kubeconfig);
  if (!text) return fail(text.error().with_prefix("kubeconfig"));
  const auto kubeconfig = parse_kubeconfig(text->reveal(), overrides.kubeconfig);
  if (!kubeconfig) return fail(kubeconfig.error());
  return select_entries(*kubeconfig, overrides, "kubeconfig " + overrides.kubeconfig);
}

Result<Selection> from_pod(const Overrides& overrides, const Environment& environment) {
  if (!overrides.context.empty() || !overrides.cluster.empty() || !overrides.user.empty()) {
    return fail(Code::kNotFound,
                "in-cluster: --context, --cluster and --user choose from a kubeconfig, and there is none");
  }
  return in_cluster_selection(environment);
}

Result<Selection> choose(const Overrides& overrides, const Environment& environment) {
  if (!overrides.kubeconfig.empty()) return from_explicit_file(overrides);
  std::vector<std::string> paths = split_list(environment.variable("KUBECONFIG"));
  if (paths.empty() && is_in_cluster(environment)) return from_pod(overrides, environment);
  const std::string home = environment.variable("HOME");
  if (paths.empty() && !home.empty()) paths.push_back(home + "/.kube/config");
  const auto kubeconfig = read_kubeconfigs(paths);
  if (!kubeconfig) return fail(kubeconfig.error());
  if (!kubeconfig->empty() || !overrides.server.empty()) {
    return select_entries(*kubeconfig, overrides, joined(paths));
  }
  if (is_in_cluster(environment)) return from_pod(overrides, environment);
  return fail(Code::kFailedPrecondition,
              "no cluster is configured: " + (paths.empty() ? "$HOME is not set" : joined(paths)) +
                  (paths.empty() ? "" : ": missing or empty") +
                  ", and this is not a pod; give --kubeconfig or set $KUBECONFIG");
}

/// A field that is either a path or base64.
Result<Material> material(const std::string& path, const std::string& base64, const std::string& place) {
  if (!path.empty()) return Material::file(path);
  if (base64.empty()) return Material();
  std::string unfolded = base64;
  std::erase_if(unfolded, [](char c) { return c == '\n' || c == '\r'; });  // as Go's decoder does
  const Secret text(std::move(unfolded));
  Result<std::string> bytes = base64_decode(text.reveal());
  if (!bytes) return fail(Code::kInvalidArgument, place + ": is not base64");
  return Material::inline_bytes(Secret(std::move(*bytes)));
}

Result<std::unique_ptr<TlsSource>> tls_source(const Selection& selection, const Environment& environment) {
  const ClusterEntry& cluster = selection.cluster;
  const UserEntry& user = selection.user;
  TlsMaterial parts;
  parts.insecure_skip_verify = cluster.insecure_skip_tls_verify;
  parts.ca_where = selection.cluster_where + ": certificate-authority";
  parts.user_where = selection.user_where;
  auto ca =
      material(cluster.certificate_authority, cluster.certificate_authority_data, parts.ca_where + "-data");
  if (!ca) return fail(ca.error());
  auto certificate = material(user.client_certificate, user.client_certificate_data,
                              parts.user_where + ": client-certificate-data");
  if (!certificate) return fail(certificate.error());
  auto key = material(user.client_key, user.client_key_data.reveal(), parts.user_where + ": client-key-data");
  if (!key) return fail(key.error());
  parts.ca = std::move(*ca);
  parts.certificate = std::move(*certificate);
  if (parts.certificate.given()) parts.key = std::move(*key);
  auto source = std::make_unique<TlsSource>(std::move(parts), environment.make_tls);
  // Mistakes in files show at the start rather than with the first request.
  const auto first = source->get();
  if (!first) return fail(first.error());
  return source;
}

Result<std::shared_ptr<Credentials>> plugin_credentials(const Selection& selection,
                                                        std::unique_ptr<TlsSource> tls,
                                                        io::WorkerPool& workers,
                                                        const Environment& environment) {
  const ExecEntry& entry = *selection.user.exec;
  if (entry.interactive_mode == "Always") {
    return fail(Code::kUnimplemented, selection.user_where +
                                          ": exec.interactiveMode: Always needs a person at a "
                                          "terminal, which is not supported");
  }
  std::unique_ptr<ExecCluster> told;
  if (entry.provide_cluster_info) {
    const ClusterEntry& cluster = selection.cluster;
    told = std::make_unique<ExecCluster>(ExecCluster{cluster.server, cluster.tls_server_name, "",
                                                     cluster.exec_config, cluster.insecure_skip_tls_verify});
  }
  ExecPlugin plugin{entry, selection.user_where, environment.variables, environment.exec_limit};
  return exec_credentials(std::move(plugin), std::move(told), std::move(tls), workers);
}

/// The Authorization header that does not change; empty: none.
Result<Secret> fixed_header(const Selection& selection) {
  const UserEntry& user = selection.user;
  if (!user.token.empty()) {
    const Result<Secret> token = clean_token(user.token);
    if (!token) return fail(token.error().with_prefix(selection.user_where + ": token"));
    return bearer_header(*token);
  }
  if (!user.username.empty() || !user.password.empty()) return basic_header(user.username, user.password);
  return Secret();
}

Result<std::shared_ptr<Credentials>> make_credentials(const Selection& selection, io::WorkerPool& workers,
                                                      const Environment& environment) {
  auto tls = tls_source(selection, environment);
  if (!tls) return fail(tls.error());
  Result<Secret> header = fixed_header(selection);
  if (!header) return fail(header.error());
  const UserEntry& user = selection.user;
  if (!user.token_file.empty()) {
    const Result<Secret> file = read_file(user.token_file);
    if (!file && header->empty()) return fail(file.error().with_prefix(selection.user_where + ": tokenFile"));
    return token_file_credentials(user.token_file, std::move(*header), std::move(*tls));
  }
  // As with kubectl a plugin is asked only when nothing else says who the user is.
  const bool certificate = !user.client_certificate.empty() || !user.client_certificate_data.empty();
  if (user.exec && header->empty() && !certificate) {
    return plugin_credentials(selection, std::move(*tls), workers, environment);
  }
  return static_credentials(std::move(*header), std::move(*tls));
}

}  // namespace

Result<ClusterConfig> load_config(const Overrides& overrides, io::WorkerPool& workers,
                                  const Environment& environment) {
  Result<Selection> selection = choose(overrides, environment);
  if (!selection) return fail(selection.error());
  apply_overrides(*selection, overrides);
  if (const Status wrong = check_selection(*selection); !wrong.ok()) return fail(wrong);
  Result<Url> server = server_url(*selection);
  if (!server) return fail(server.error());

  ClusterConfig config;
  config.server = std::move(*server);
  config.tls_server_name = selection->cluster.tls_server_name;
  config.default_namespace = selection->namespace_;
  config.impersonate_user = selection->user.as;
  config.impersonate_groups = selection->user.as_groups;
  config.origin = selection->origin;
  if (config.server.scheme == "http") {
    // As with kubectl, nothing secret goes over a connection that anybody can read.
    config.credentials = static_credentials(Secret(), nullptr);
    return config;
  }
  auto credentials = make_credentials(*selection, workers, environment);
  if (!credentials) return fail(credentials.error());
  config.credentials = std::move(*credentials);
  return config;
}

}  // namespace towline::kube
