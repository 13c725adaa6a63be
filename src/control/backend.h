#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/secret.h"
#include "base/status.h"

namespace gitlab::agent::agentcfg {
class ConfigurationFile;
}

namespace towline::io {
class Loop;
}

namespace towline::control {

/// A registered agent.
struct Agent {
  std::int64_t id = 0;
  std::string name;
  std::int64_t project_id = 0;
  std::string project_path;  // "group/project"
};

/// An agent as its token proves it.
struct AuthenticatedAgent {
  Agent agent;
  std::int64_t token_id = 0;
};

/// A token by which calls of an agent run.
struct AgentTokenInUse {
  std::int64_t agent_id = 0;
  std::int64_t token_id = 0;
};

/// The configuration in force for an agent: the last one of its file that was free of faults, or the default.
struct AgentConfiguration {
  Agent agent;
  std::string commit_id;  // of the default branch; not empty
  std::shared_ptr<const gitlab::agent::agentcfg::ConfigurationFile> file;
};

/// Whom the Kubernetes API shall see instead of the agent.
struct Impersonation {
  std::string username;
  std::vector<std::string> groups;
  std::string uid;
  std::vector<std::pair<std::string, std::vector<std::string>>> extra;
};

/// What a credential may do with an agent.
struct Access {
  Agent agent;
  std::int64_t user_id = 0;
  std::string username;
  /// When the credential ends, if it does: an answer must not be remembered beyond that.
  std::optional<std::chrono::system_clock::time_point> expires_at;
  /// Absent: requests run as the agent itself.
  std::optional<Impersonation> as;
};

/// What an agent's pod says of itself when it registers.
struct AgentPresence {
  std::int64_t agent_id = 0;
  std::int64_t token_id = 0;
  /// Of the connection that stays open while the pod is there; 0: this is only a use of the token.
  std::int64_t connection_id = 0;
  std::string version;
  std::string commit_id;
  std::string pod_namespace;
  std::string pod_name;
};

/// The configuration of the agents of a project may have changed (a push to its default branch, an API
/// commit).
struct ConfigurationChanged {
  std::int64_t project_id = 0;
};
/// A token was revoked or its agent deleted, here or by another server: connections that use it must end. May
/// come more than once.
struct AgentTokenRevoked {
  std::int64_t agent_id = 0;
  std::int64_t token_id = 0;
};
/// A branch of a project was updated.
struct Pushed {
  std::int64_t project_id = 0;
  std::string project_path;
  std::string ref;
};
using Event = std::variant<ConfigurationChanged, AgentTokenRevoked, Pushed>;

/// All that the kas modules know of the control plane. Every asynchronous call answers once, on `loop`, never
/// from inside the call. Safe from any thread.
///
/// Errors: UNAUTHENTICATED for a credential that is wrong, expired or revoked; PERMISSION_DENIED for a valid
/// one that may not; NOT_FOUND; RESOURCE_EXHAUSTED when the control plane is overloaded.
class Backend {
 public:
  template <typename T>
  using Answer = std::move_only_function<void(Result<T>)>;

  virtual ~Backend() = default;

  virtual void agent_by_token(io::Loop& loop, Secret token, Answer<AuthenticatedAgent> answer) = 0;
  /// Looks which of these tokens are no longer in force, raises AgentTokenRevoked for each of them, and then
  /// says how many they were.
  virtual void check_agent_tokens(io::Loop& loop, std::vector<AgentTokenInUse> tokens,
                                  Answer<std::size_t> answer) = 0;
  virtual void agent_configuration(io::Loop& loop, std::int64_t agent_id,
                                   Answer<AgentConfiguration> answer) = 0;

  /// May the owner of this personal access token (scope k8s_proxy or api) use the agent, and as whom? Decided
  /// by `user_access` of the agent's configuration: the user needs at least the developer role in one of the
  /// projects or groups listed.
  virtual void access_by_token(io::Loop& loop, std::int64_t agent_id, Secret personal_access_token,
                               Answer<Access> answer) = 0;

  /// Grows with every change that may alter an answer of access_by_token, so that callers can cache answers.
  virtual std::uint64_t access_generation() const = 0;

  /// An agent's pod is connected (called at registration and from time to time): updates last contact and the
  /// token's last use.
  virtual void agent_seen(AgentPresence presence) = 0;
  /// A connection that agent_seen told of has ended.
  virtual void agent_gone(std::int64_t agent_id, std::int64_t connection_id) = 0;
  /// When the agent was last seen, for messages; absent: never.
  virtual void agent_last_seen(io::Loop& loop, std::int64_t agent_id,
                               Answer<std::optional<std::chrono::system_clock::time_point>> answer) = 0;

  /// Calls `on_event` for each event from now on, on the thread that caused it, until the subscription is
  /// destroyed (which waits for a call under way). The callee only posts.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  virtual std::unique_ptr<Subscription> subscribe(std::function<void(const Event&)> on_event) = 0;
};

}  // namespace towline::control
