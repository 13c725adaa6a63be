#include "kube/in_cluster.h"

#include "base/url.h"
#include "kube/credentials.h"
#include "kube/files.h"

namespace towline::kube {
namespace {

constexpr std::string_view kHost = "KUBERNETES_SERVICE_HOST";
constexpr std::string_view kPort = "KUBERNETES_SERVICE_PORT";

/// The pod's namespace, which a pod without a mounted one may pass by POD_NAMESPACE.
std::string pod_namespace(const Environment& environment) {
  std::string name = environment.variable("POD_NAMESPACE");
  if (!name.empty()) return name;
  const Result<Secret> file = read_file(environment.service_account_folder + "/namespace");
  const Result<Secret> clean = file ? clean_token(*file) : file;
  return clean ? clean->reveal() : std::string();
}

}  // namespace

bool is_in_cluster(const Environment& environment) { return !environment.variable(kHost).empty(); }

Result<Selection> in_cluster_selection(const Environment& environment) {
  const std::string host = environment.variable(kHost);
  const std::string port = environment.variable(kPort);
  if (port.empty()) {
    return fail(Code::kFailedPrecondition,
                "in-cluster: KUBERNETES_SERVICE_HOST is set, but " + std::string(kPort) + " is not");
  }
  const bool ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  Selection selection;
  selection.cluster.server = "https://" + (ipv6 ? "[" + host + "]" : host) + ":" + port;
  selection.cluster.certificate_authority = environment.service_account_folder + "/ca.crt";
  selection.user.token_file = environment.service_account_folder + "/token";
  selection.namespace_ = pod_namespace(environment);
  selection.origin = selection.cluster_where = selection.user_where = "in-cluster";
  return selection;
}

}  // namespace towline::kube
