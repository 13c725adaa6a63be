#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "control/backend.h"
#include "control/domain/agent_status.h"
#include "control/domain/core.h"
#include "control/git/object_id.h"

namespace towline::control {

namespace config {
struct ParsedConfiguration;
}

/// The configuration in force for an agent, with what it lists by number and why a newer version is not in
/// force (empty when the newest is).
struct CurrentConfiguration {
  AgentConfiguration configuration;
  std::shared_ptr<const std::vector<AccessRule>> rules;
  std::string fault;
};

/// The configuration in force for each agent: its file on the default branch of its project or, while that is
/// broken, the last good version, which the database keeps. Blocks. Safe from any thread.
class Configurations {
 public:
  explicit Configurations(Core& core) : core_(core) {}

  /// The commit is that in which the text in force was first seen, so that unrelated commits change nothing;
  /// forty zeros while the repository is empty. What it lists was looked up at that commit, and is not looked
  /// up again before the file changes. NOT_FOUND when there is no such agent.
  Result<CurrentConfiguration> current(std::int64_t agent_id);

  /// Puts in force what the default branch of a project holds now, so that what is listed means what it meant
  /// when it was pushed: for kMaxAtOnce of its agents, for the others when they are asked for next.
  void apply(std::int64_t project_id);
  /// Limit: agents of a project whose configuration is looked up with the push that changes it; the others'
  /// is looked up when they connect or are used next.
  static constexpr std::int64_t kMaxAtOnce = 200;

  /// The same where the version in force is in memory already, which takes a moment only; else nothing.
  Result<std::optional<CurrentConfiguration>> if_known(std::int64_t agent_id);

  /// What the newest version of the agent's file is worth. NOT_FOUND as for current().
  Result<ConfigurationVerdict> verdict(std::int64_t agent_id);

 private:
  using File = std::shared_ptr<const gitlab::agent::agentcfg::ConfigurationFile>;
  using Rules = std::shared_ptr<const std::vector<AccessRule>>;
  struct Subject {
    Agent agent;
    std::string branch;
    StoredConfiguration stored;
    bool has_stored = false;
    std::vector<AccessRule> rules;  // of `stored`, where that is resolved
  };
  struct InForce {
    git::ObjectId head;  // of the default branch, when this was read
    std::string commit_id;
    File file;
    Rules rules;
    std::string fault;
  };
  // What is to be written.
  struct Change {
    StoredConfiguration row;
    const config::ParsedConfiguration* listed = nullptr;  // whose entries are to be looked up; null: none
    std::string event;                                    // empty: none
    std::string detail;
  };

  Result<Subject> find(std::int64_t agent_id);
  /// Null while the branch does not exist.
  Result<git::ObjectId> head_of(const Subject& subject);
  std::optional<InForce> known(std::int64_t agent_id, const git::ObjectId& head);
  Result<InForce> load(const Subject& subject, const git::ObjectId& head);
  Result<InForce> keep_last_good(const Subject& subject, const git::ObjectId& head, const std::string& fault);
  /// Gives the rules that are in force with the row.
  Result<std::vector<AccessRule>> save(const Subject& subject, Change change);
  static CurrentConfiguration answer(const Subject& subject, const InForce& in_force);
  /// Warnings of files that were probably meant to be the agent's.
  std::vector<std::string> look_alikes(const Agent& agent);

  Core& core_;
  std::mutex loading_;  // so that an older version is never stored after a newer one; taken before mutex_
  std::mutex mutex_;
  std::map<std::int64_t, InForce> in_force_;
};

}  // namespace towline::control
