#pragma once

#include <string>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "control/domain/core.h"

namespace soci {
class session;
}

namespace towline::control {

/// Agents and their tokens. Rights are the caller's matter. Blocks. Safe from any thread.
class Agents {
 public:
  /// So that one token can be replaced while the other is in use, and no more lie around.
  static constexpr std::int64_t kMaxActiveTokens = 2;

  explicit Agents(Core& core) : core_(core) {}

  /// INVALID_ARGUMENT for a name that is no RFC 1123 label, ALREADY_EXISTS for one that is taken in the
  /// project.
  Result<AgentRecord> create(const User& creator, const Project& project, const std::string& name);
  Status remove(const AgentRecord& agent);

  struct CreatedToken {
    AgentToken token;
    Secret value;  // the only time it is seen
  };
  /// FAILED_PRECONDITION when the agent has two active tokens.
  Result<CreatedToken> create_token(const User& creator, const AgentRecord& agent, const std::string& name,
                                    const std::string& description);
  /// NOT_FOUND when it is revoked already.
  Status revoke_token(const User& by, const AgentToken& token);

 private:
  Core& core_;
};

std::vector<AgentToken> active_tokens_of_project(soci::session& sql, std::int64_t project_id);
/// Tells the world that these tokens are good no more.
void raise_revoked(Core& core, const std::vector<AgentToken>& tokens);

}  // namespace towline::control
