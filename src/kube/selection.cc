#include "kube/selection.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace towline::kube {
namespace {

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

/// Where an entry is, for messages and logs.
std::string where(const std::string& file, const std::string& context, const std::string& kind,
                  const std::string& name) {
  std::string text = file.empty() ? "flags" : "kubeconfig " + file;
  if (!context.empty()) text += ", context " + quoted(context);
  if (!name.empty()) text += ", " + kind + " " + quoted(name);
  return text;
}

/// `name` in `entries`; an empty name gives an empty entry.
template <typename Entry>
Result<Entry> pick(const Named<Entry>& entries, const std::string& name, const std::string& kind,
                   const std::string& asked_by) {
  if (name.empty()) return Entry{};
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  return fail(Code::kNotFound, asked_by + ": " + kind + " " + quoted(name) + " does not exist");
}

/// Puts messages of one entry together: "where: message".
class Complaints {
 public:
  explicit Complaints(const std::string& place) : place_(place) {}
  void add(bool wrong, const std::string& message, Code code = Code::kInvalidArgument) {
    if (wrong && first_.ok()) first_ = Status(code, place_ + ": " + message);
  }
  Status first() const { return first_; }

 private:
  const std::string& place_;
  Status first_;
};

Status check_cluster(const ClusterEntry& cluster, const std::string& place) {
  Complaints complaints(place);
  const bool ca = !cluster.certificate_authority.empty();
  const bool ca_data = !cluster.certificate_authority_data.empty();
  complaints.add(cluster.server.empty(), "server: is missing");
  complaints.add(!cluster.proxy_url.empty(), "proxy-url: is not supported yet", Code::kUnimplemented);
  complaints.add(ca && ca_data,
                 "certificate-authority and certificate-authority-data: only one of them is allowed");
  complaints.add((ca || ca_data) && cluster.insecure_skip_tls_verify,
                 "insecure-skip-tls-verify: is not allowed together with a certificate authority");
  return complaints.first();
}

void check_exec(const ExecEntry& exec, Complaints& complaints) {
  static constexpr std::string_view kGroup = "client.authentication.k8s.io/";
  const bool v1 = exec.api_version == std::string(kGroup) + "v1";
  const bool v1beta1 = exec.api_version == std::string(kGroup) + "v1beta1";
  complaints.add(!v1 && !v1beta1, "exec.apiVersion: must be client.authentication.k8s.io/v1 or v1beta1, is " +
                                      quoted(exec.api_version));
  complaints.add(exec.command.empty(), "exec.command: is missing");
  const auto unusable = [](const auto& variable) {
    return variable.first.empty() || variable.first.find('=') != std::string::npos;
  };
  complaints.add(std::ranges::any_of(exec.env, unusable), "exec.env: a variable has no usable name");
  static constexpr std::array<std::string_view, 3> kModes = {"Never", "IfAvailable", "Always"};
  const bool known = std::ranges::find(kModes, exec.interactive_mode) != kModes.end();
  const bool defaulted = exec.interactive_mode.empty() && v1beta1;
  complaints.add(!known && !defaulted, "exec.interactiveMode: must be Never, IfAvailable or Always, is " +
                                           quoted(exec.interactive_mode));
}

Status check_user(const UserEntry& user, const std::string& place) {
  Complaints complaints(place);
  const bool token = !user.token.empty() || !user.token_file.empty();
  const bool basic = !user.username.empty() || !user.password.empty();
  const bool certificate = !user.client_certificate.empty() || !user.client_certificate_data.empty();
  const bool key = !user.client_key.empty() || !user.client_key_data.empty();
  complaints.add(!user.auth_provider.empty(),
                 "auth-provider " + quoted(user.auth_provider) + ": is not supported, use exec instead",
                 Code::kUnimplemented);
  complaints.add(token && basic, "token and username: only one way to authenticate is allowed");
  complaints.add(!user.client_certificate.empty() && !user.client_certificate_data.empty(),
                 "client-certificate and client-certificate-data: only one of them is allowed");
  complaints.add(certificate && !user.client_key.empty() && !user.client_key_data.empty(),
                 "client-key and client-key-data: only one of them is allowed");
  complaints.add(certificate && !key, "client-key: is missing, client-certificate needs it");
  const bool more = !user.as_groups.empty() || !user.as_uid.empty() || user.as_user_extra;
  complaints.add(more && user.as.empty(), "as: is missing, as-groups, as-uid and as-user-extra need it");
  complaints.add(!user.as_uid.empty(), "as-uid: is not supported yet", Code::kUnimplemented);
  complaints.add(user.as_user_extra, "as-user-extra: is not supported yet", Code::kUnimplemented);
  if (user.exec) check_exec(*user.exec, complaints);
  return complaints.first();
}

void replace(std::string& value, const std::string& flag) {
  if (!flag.empty()) value = flag;
}

void override_cluster(ClusterEntry& cluster, const Overrides& overrides) {
  if (!overrides.certificate_authority.empty() || overrides.insecure_skip_tls_verify.value_or(false)) {
    cluster.certificate_authority = overrides.certificate_authority;
    cluster.certificate_authority_data.clear();
    cluster.insecure_skip_tls_verify = false;
  }
  if (overrides.insecure_skip_tls_verify) {
    cluster.insecure_skip_tls_verify = *overrides.insecure_skip_tls_verify;
  }
  // The name in the kubeconfig belongs to the server in the kubeconfig.
  if (!overrides.server.empty() || !overrides.tls_server_name.empty()) {
    cluster.tls_server_name = overrides.tls_server_name;
  }
  replace(cluster.server, overrides.server);
}

void override_user(UserEntry& user, const Overrides& overrides) {
  if (!overrides.client_certificate.empty()) user.client_certificate_data.clear();
  if (!overrides.client_key.empty()) user.client_key_data = Secret();
  if (!overrides.token.empty()) {
    user.token = Secret(overrides.token);
    user.token_file.clear();
  }
  replace(user.client_certificate, overrides.client_certificate);
  replace(user.client_key, overrides.client_key);
  replace(user.as, overrides.as);
}

}  // namespace

Result<Selection> select_entries(const Kubeconfig& kubeconfig, const Overrides& overrides,
                                 const std::string& sources) {
  const bool flagged = !overrides.context.empty();
  const std::string& context_name = flagged ? overrides.context : kubeconfig.current_context;
  const auto context = pick(kubeconfig.contexts, context_name, "context",
                            sources + (flagged ? ", --context" : ", current-context"));
  if (!context) return fail(context.error());
  const std::string place = where(context->file, context_name, "", "");

  std::string cluster_name = overrides.cluster.empty() ? context->cluster : overrides.cluster;
  // A server that is given needs no entry; only a flag that names one insists.
  const bool optional = overrides.cluster.empty() && !overrides.server.empty();
  if (optional && !kubeconfig.clusters.contains(cluster_name)) cluster_name.clear();
  if (cluster_name.empty() && !optional) {
    return fail(Code::kFailedPrecondition,
                sources + ": no cluster is chosen: set current-context, or give --context or --server");
  }
  const auto cluster = pick(kubeconfig.clusters, cluster_name, "cluster",
                            overrides.cluster.empty() ? place : sources + ", --cluster");
  if (!cluster) return fail(cluster.error());

  // kubectl goes on as nobody where a context's user is missing, and the API then refuses nobody; saying
  // what is wrong is better.
  const std::string user_name = overrides.user.empty() ? context->user : overrides.user;
  const auto user =
      pick(kubeconfig.users, user_name, "user", overrides.user.empty() ? place : sources + ", --user");
  if (!user) return fail(user.error());

  Selection selection{*cluster, *user, context->namespace_, place, {}, {}};
  selection.cluster_where = where(cluster->file, context_name, "cluster", cluster_name);
  selection.user_where = where(user->file, context_name, "user", user_name);
  return selection;
}

void apply_overrides(Selection& selection, const Overrides& overrides) {
  override_cluster(selection.cluster, overrides);
  override_user(selection.user, overrides);
  replace(selection.namespace_, overrides.namespace_);
  if (selection.namespace_.empty()) selection.namespace_ = "default";
}

Status check_selection(const Selection& selection) {
  const Status cluster = check_cluster(selection.cluster, selection.cluster_where);
  return cluster.ok() ? check_user(selection.user, selection.user_where) : cluster;
}

Result<Url> server_url(const Selection& selection) {
  const std::string& server = selection.cluster.server;
  const std::string text = server.find("://") == std::string::npos ? "http://" + server : server;
  Result<Url> url = parse_url(text);
  if (!url) return fail(url.error().with_prefix(selection.cluster_where + ": server"));
  const auto bad = [&](const std::string& what) {
    return fail(Code::kInvalidArgument, selection.cluster_where + ": server: " + what);
  };
  if (url->scheme != "https" && url->scheme != "http") return bad("must begin with https:// or http://");
  if (!url->user.empty() || !url->password.empty()) return bad("must not hold a user name or password");
  url->query.clear();
  return url;
}

}  // namespace towline::kube
