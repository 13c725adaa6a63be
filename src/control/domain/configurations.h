#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/status.h"
#include "control/backend.h"
#include "control/domain/agent_status.h"
#include "control/domain/core.h"
#include "control/git/object_id.h"

namespace towline::control {

/// The configuration in force for each agent: its file on the default branch of its project or, while that is
/// broken, the last good version, which the database keeps. Blocks. Safe from any thread.
class Configurations {
 public:
  explicit Configurations(Core& core) : core_(core) {}

  /// The commit is that in which the text in force was first seen, so that unrelated commits change nothing;
  /// forty zeros while the repository is empty. NOT_FOUND when there is no such agent.
  Result<AgentConfiguration> current(std::int64_t agent_id);

  /// What the newest version of the agent's file is worth. NOT_FOUND as for current().
  Result<ConfigurationVerdict> verdict(std::int64_t agent_id);

 private:
  using File = std::shared_ptr<const gitlab::agent::agentcfg::ConfigurationFile>;
  struct Subject {
    Agent agent;
    std::string branch;
    StoredConfiguration stored;
    bool has_stored = false;
  };
  struct InForce {
    git::ObjectId head;  // of the default branch, when this was read
    std::string commit_id;
    File file;
  };

  Result<Subject> find(std::int64_t agent_id);
  /// Null while the branch does not exist.
  Result<git::ObjectId> head_of(const Subject& subject);
  std::optional<InForce> known(std::int64_t agent_id, const git::ObjectId& head);
  Result<InForce> load(const Subject& subject, const git::ObjectId& head);
  Result<InForce> keep_last_good(const Subject& subject, const git::ObjectId& head, const std::string& fault);
  /// With an event of this kind, unless that is empty.
  Status save(const Subject& subject, const StoredConfiguration& configuration, const std::string& event,
              const std::string& detail);

  Core& core_;
  std::mutex loading_;  // so that an older version is never stored after a newer one; taken before mutex_
  std::mutex mutex_;
  std::map<std::int64_t, InForce> in_force_;
};

}  // namespace towline::control
