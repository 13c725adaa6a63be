#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "base/url.h"
#include "io/dial.h"
#include "io/tls.h"

namespace towline::io {
class Loop;
class WorkerPool;
}  // namespace towline::io

namespace towline::kube {

/// kubectl's overrides, as flags give them; empty: what the kubeconfig says.
struct Overrides {
  std::string kubeconfig;  // path; empty: $KUBECONFIG (a list), then in-cluster, then ~/.kube/config
  std::string context;
  std::string cluster;
  std::string user;
  std::string server;
  std::string certificate_authority;
  std::string client_certificate;
  std::string client_key;
  std::string token;
  std::string tls_server_name;
  std::optional<bool> insecure_skip_tls_verify;
  std::string namespace_;
  std::string as;
};

/// What a request must carry, as it is now.
struct Authorization {
  /// Value of the Authorization header, "Bearer ..." or "Basic ..."; empty: none.
  Secret header;
};

/// The identity that requests are made with. Lives on no loop; safe from any thread.
class Credentials {
 public:
  virtual ~Credentials() = default;
  /// Answers on `loop`, at once from inside the call when what is known is fresh (files are looked at again
  /// after a minute, exec plugins when their credential expires), else later.
  virtual void authorization(io::Loop& loop, std::move_only_function<void(Result<Authorization>)> answer) = 0;
  /// The API answered 401: what is known is stale.
  virtual void invalidate() = 0;
  /// What the cluster is trusted by, with the client certificate, if any; re-read when its files change. A
  /// change gives a new context. Null for plain HTTP. Call it after authorization() has answered: an exec
  /// plugin's certificate comes with that answer.
  virtual Result<std::shared_ptr<io::TlsClientContext>> tls() = 0;
};

/// Where a cluster's API is and how to speak to it.
struct ClusterConfig {
  Url server;  // https://host:port/prefix
  std::string tls_server_name;
  std::string default_namespace;
  std::string impersonate_user;                 // --as
  std::vector<std::string> impersonate_groups;  // as-groups; only with a user
  std::shared_ptr<Credentials> credentials;
  std::string origin;  // for logs: "in-cluster" or the kubeconfig's path and context
};

/// Reads the configuration as kubectl does. `workers` runs exec plugins. Errors name the file and the field.
Result<ClusterConfig> load_config(const Overrides& overrides, io::WorkerPool& workers);

}  // namespace towline::kube
