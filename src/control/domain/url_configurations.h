#pragma once

#include "base/secret.h"
#include "base/status.h"
#include "control/domain/core.h"

namespace towline::control {

struct NewUrlConfiguration {
  std::string url;  // grpc:// or grpcs://
  std::string client_cert;
  Secret client_key;
  std::string ca_cert;
  std::string tls_host;
};

/// How this server dials receptive agents; one configuration for each agent at most. Rights are the caller's
/// matter. Blocks. Safe from any thread.
class UrlConfigurations {
 public:
  explicit UrlConfigurations(Core& core) : core_(core) {}

  /// Makes the agent receptive. Without a client certificate an Ed25519 key pair is made, whose public half
  /// the agent is given. INVALID_ARGUMENT naming the part, also for a url whose host may not be dialled;
  /// FAILED_PRECONDITION when the agent has one.
  Result<UrlConfiguration> create(const User& by, const AgentRecord& agent,
                                  const NewUrlConfiguration& wanted);
  /// The agent is an ordinary one again.
  Status remove(const UrlConfiguration& configuration);

 private:
  Core& core_;
};

}  // namespace towline::control
