#include "control/domain/configurations.h"

#include <algorithm>
#include <utility>

#include "control/config/configuration_file.h"
#include "control/git/repository_store.h"
#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"
#include "proto/agentcfg.pb.h"

namespace towline::control {
namespace {

// What the file says, or why it cannot be had.
struct Text {
  std::string content;
  std::string fault;
};

Result<Text> read_text(const git::Repository& repository, const git::ObjectId& head,
                       const std::string& path) {
  if (head.is_null()) return Text{};
  auto file = repository.file(head, path, config::kMaxFileBytes);
  if (file) return Text{std::move(file->content), {}};
  if (file.error().code() == Code::kNotFound) return Text{};
  if (file.error().code() == Code::kResourceExhausted) return Text{{}, path + ": " + file.error().message()};
  return fail(file.error());
}

std::string describe(const std::vector<config::Fault>& faults, const std::string& path) {
  std::string text;
  for (const config::Fault& fault : faults) text += (text.empty() ? "" : "\n") + fault.describe(path);
  return text;
}

}  // namespace

Result<Configurations::Subject> Configurations::find(std::int64_t agent_id) {
  return core_.db.read([&](soci::session& sql) -> Result<Subject> {
    const auto agent = AgentTable(sql).by_id(agent_id);
    const auto project = agent ? ProjectTable(sql).by_id(agent->project_id) : std::nullopt;
    if (!project) return fail(Code::kNotFound, "agent " + std::to_string(agent_id) + " does not exist");
    auto stored = AgentTable(sql).configuration(agent_id);
    return Subject{.agent = {agent->id, agent->name, project->id, project->full_path},
                   .branch = project->default_branch,
                   .stored = stored.value_or(StoredConfiguration{}),
                   .has_stored = stored.has_value()};
  });
}

Result<git::ObjectId> Configurations::head_of(const Subject& subject) {
  auto repository = core_.repositories.open(subject.agent.project_id);
  if (!repository) return fail(repository.error());
  auto tip = repository->branch_head(subject.branch);
  if (!tip) return fail(tip.error());
  return tip->value_or(git::ObjectId{});
}

std::optional<Configurations::InForce> Configurations::known(std::int64_t agent_id,
                                                             const git::ObjectId& head) {
  const std::lock_guard lock(mutex_);
  const auto found = in_force_.find(agent_id);
  if (found == in_force_.end() || found->second.head != head) return std::nullopt;
  return found->second;
}

Result<AgentConfiguration> Configurations::current(std::int64_t agent_id) {
  std::unique_lock loading(loading_, std::defer_lock);
  while (true) {
    auto subject = find(agent_id);
    if (!subject) return fail(subject.error());
    auto head = head_of(*subject);
    if (!head) return fail(head.error());
    if (auto good = known(agent_id, *head))
      return AgentConfiguration{subject->agent, good->commit_id, good->file};
    if (!loading.owns_lock()) {
      loading.lock();
      continue;  // another thread may have loaded it meanwhile
    }
    auto loaded = load(*subject, *head);
    if (!loaded) return fail(loaded.error());
    const std::lock_guard lock(mutex_);
    in_force_[agent_id] = *loaded;
    return AgentConfiguration{subject->agent, loaded->commit_id, loaded->file};
  }
}

Result<Configurations::InForce> Configurations::load(const Subject& subject, const git::ObjectId& head) {
  const std::string path = config::configuration_path(subject.agent.name);
  auto repository = core_.repositories.open(subject.agent.project_id);
  if (!repository) return fail(repository.error());
  auto text = read_text(*repository, head, path);
  if (!text) return fail(text.error());
  if (!text->fault.empty()) return keep_last_good(subject, head, text->fault);
  auto parsed = config::parse_configuration(text->content);
  if (!parsed) return keep_last_good(subject, head, describe(parsed.error(), path));
  std::string warnings;
  for (const config::Fault& warning : parsed->warnings) {
    warnings += (warnings.empty() ? "" : "\n") + warning.describe(path);
    core_.log.warn("agent configuration: " + warning.describe(path),
                   {{"agent_id", subject.agent.id}, {"project", subject.agent.project_path}});
  }
  const StoredConfiguration& stored = subject.stored;
  const bool same =
      subject.has_stored && stored.content == text->content && stored.commit_id != git::ObjectId{}.to_text();
  const std::string commit = same ? stored.commit_id : head.to_text();
  if (!same || !stored.fault.empty()) {
    const bool first_blank = !subject.has_stored && text->content.empty();
    const Status saved = save(subject, {.commit_id = commit, .content = text->content, .warnings = warnings},
                              first_blank ? "" : "configuration_applied", path + " at commit " + commit);
    if (!saved.ok()) return fail(saved);
  }
  return InForce{head, commit, parsed->file};
}

Result<Configurations::InForce> Configurations::keep_last_good(const Subject& subject,
                                                               const git::ObjectId& head,
                                                               const std::string& fault) {
  const std::string commit = head.to_text();
  core_.log.warn(
      "agent configuration is broken, the last good one stays in force: " + fault,
      {{"agent_id", subject.agent.id}, {"project", subject.agent.project_path}, {"commit_id", commit}});
  StoredConfiguration last = subject.stored;
  if (!subject.has_stored) last.commit_id = commit;
  if (last.fault != fault || last.fault_commit_id != commit || !subject.has_stored) {
    last.fault = fault;
    last.fault_commit_id = commit;
    if (Status saved = save(subject, last, "configuration_refused", fault); !saved.ok()) return fail(saved);
  }
  auto good = config::parse_configuration(last.content);
  // A newer program may be stricter than the one that stored it.
  File file = good ? good->file : std::make_shared<const gitlab::agent::agentcfg::ConfigurationFile>();
  return InForce{head, last.commit_id, std::move(file)};
}

Result<ConfigurationVerdict> Configurations::verdict(std::int64_t agent_id) {
  auto in_force = current(agent_id);
  if (!in_force) return fail(in_force.error());
  auto stored = core_.db.read([&](soci::session& sql) { return AgentTable(sql).configuration(agent_id); });
  if (!stored) return fail(stored.error());
  const StoredConfiguration row = stored->value_or(StoredConfiguration{});
  ConfigurationVerdict verdict{.path = config::configuration_path(in_force->agent.name),
                               .commit_id = in_force->commit_id,
                               .content = row.content,
                               .fault = row.fault};
  const bool blank = row.content.find_first_not_of(" \t\r\n") == std::string::npos;
  verdict.state = !row.fault.empty() ? "invalid" : blank ? "absent" : "valid";
  std::string_view rest = row.warnings;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    verdict.warnings.emplace_back(line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return verdict;
}

Status Configurations::save(const Subject& subject, const StoredConfiguration& configuration,
                            const std::string& event, const std::string& detail) {
  StoredConfiguration row = configuration;
  row.agent_id = subject.agent.id;
  row.updated_at = core_.now();
  return core_.db.write_quietly([&](soci::session& sql) {
    AgentTable(sql).save_configuration(row);
    if (event.empty()) return;
    AgentEventTable(sql).add(
        {.agent_id = subject.agent.id, .kind = event, .detail = detail, .recorded_at = row.updated_at});
  });
}

}  // namespace towline::control
