#include "control/domain/configurations.h"

#include <algorithm>
#include <utility>

#include "control/config/configuration_file.h"
#include "control/domain/access_rules.h"
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
  switch (file.error().code()) {
    case Code::kNotFound:
      return Text{};
    case Code::kResourceExhausted:
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition:
      return Text{{}, path + ": " + file.error().message()};
    default:
      return fail(file.error());
  }
}

std::string describe(const std::vector<config::Fault>& faults, const std::string& path) {
  std::string text;
  for (const config::Fault& fault : faults) text += (text.empty() ? "" : "\n") + fault.describe(path);
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.emplace_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

}  // namespace

Result<Configurations::Subject> Configurations::find(std::int64_t agent_id) {
  return core_.db.read([&](soci::session& sql) -> Result<Subject> {
    const auto agent = AgentTable(sql).by_id(agent_id);
    const auto project = agent ? ProjectTable(sql).by_id(agent->project_id) : std::nullopt;
    if (!project) return fail(Code::kNotFound, "agent " + std::to_string(agent_id) + " does not exist");
    auto stored = AgentTable(sql).configuration(agent_id);
    Subject subject{.agent = {agent->id, agent->name, project->id, project->full_path},
                    .branch = project->default_branch,
                    .stored = stored.value_or(StoredConfiguration{}),
                    .has_stored = stored.has_value(),
                    .rules = {}};
    return subject;
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

CurrentConfiguration Configurations::answer(const Subject& subject, const InForce& in_force) {
  return {{subject.agent, in_force.commit_id, in_force.file}, in_force.rules, in_force.fault};
}

Result<CurrentConfiguration> Configurations::current(std::int64_t agent_id) {
  std::unique_lock loading(loading_, std::defer_lock);
  while (true) {
    auto subject = find(agent_id);
    if (!subject) return fail(subject.error());
    auto head = head_of(*subject);
    if (!head) return fail(head.error());
    if (auto good = known(agent_id, *head)) return answer(*subject, *good);
    if (!loading.owns_lock()) {
      loading.lock();
      continue;  // another thread may have loaded it meanwhile
    }
    if (subject->stored.resolved) {
      auto rules = core_.db.read(
          [&](soci::session& sql) { return AgentAccessTable(sql).of(agent_id, subject->stored.commit_id); });
      if (!rules) return fail(rules.error());
      subject->rules = std::move(*rules);
    }
    auto loaded = load(*subject, *head);
    if (!loaded) return fail(loaded.error());
    const std::lock_guard lock(mutex_);
    in_force_[agent_id] = *loaded;
    return answer(*subject, *loaded);
  }
}

void Configurations::apply(std::int64_t project_id) {
  auto agents = core_.db.read(
      [&](soci::session& sql) { return AgentTable(sql).list(project_id, {.size = kMaxAtOnce}).items; });
  if (!agents) return;  // each is loaded when it is asked for, as it is for other servers
  for (const AgentRecord& agent : *agents) {
    auto in_force = current(agent.id);
    if (in_force || in_force.error().code() == Code::kNotFound) continue;
    core_.log.warn("agent configuration cannot be read now",
                   {{"agent_id", agent.id}, {"error", in_force.error().to_string()}});
  }
}

Result<std::optional<CurrentConfiguration>> Configurations::if_known(std::int64_t agent_id) {
  auto subject = find(agent_id);
  if (!subject) return fail(subject.error());
  auto head = head_of(*subject);
  if (!head) return fail(head.error());
  auto good = known(agent_id, *head);
  if (!good) return std::nullopt;
  return answer(*subject, *good);
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
  const StoredConfiguration& stored = subject.stored;
  const bool same =
      subject.has_stored && stored.content == text->content && stored.commit_id != git::ObjectId{}.to_text();
  const std::string commit = same ? stored.commit_id : head.to_text();
  std::vector<AccessRule> rules = subject.rules;
  if (!same || !stored.fault.empty() || !stored.resolved) {
    Change change{.row = {.commit_id = commit, .content = text->content, .resolved = same && stored.resolved},
                  .listed = &*parsed,
                  .event = "configuration_applied",
                  .detail = path + " at commit " + commit};
    if (change.row.resolved) change.row.warnings = stored.warnings;
    const bool first_blank = !subject.has_stored && text->content.empty();
    if (first_blank || (same && stored.fault.empty())) change.event.clear();
    auto saved = save(subject, std::move(change));
    if (!saved) return fail(saved.error());
    rules = std::move(*saved);
  }
  return InForce{
      head, commit, parsed->file, std::make_shared<const std::vector<AccessRule>>(std::move(rules)), {}};
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
  const bool news = last.fault != fault || last.fault_commit_id != commit || !subject.has_stored;
  last.fault = fault;
  last.fault_commit_id = commit;
  auto good = config::parse_configuration(last.content);
  std::vector<AccessRule> rules = subject.rules;
  if (news || !last.resolved) {
    Change change{
        .row = last, .listed = good ? &*good : nullptr, .event = "configuration_refused", .detail = fault};
    if (!news) change.event.clear();
    auto saved = save(subject, std::move(change));
    if (!saved) return fail(saved.error());
    rules = std::move(*saved);
  }
  // A newer program may be stricter than the one that stored it.
  File file = good ? good->file : std::make_shared<const gitlab::agent::agentcfg::ConfigurationFile>();
  return InForce{head, last.commit_id, std::move(file),
                 std::make_shared<const std::vector<AccessRule>>(std::move(rules)), fault};
}

Result<ConfigurationVerdict> Configurations::verdict(std::int64_t agent_id) {
  auto in_force = current(agent_id);
  if (!in_force) return fail(in_force.error());
  auto stored = core_.db.read([&](soci::session& sql) { return AgentTable(sql).configuration(agent_id); });
  if (!stored) return fail(stored.error());
  const StoredConfiguration row = stored->value_or(StoredConfiguration{});
  const AgentConfiguration& configuration = in_force->configuration;
  ConfigurationVerdict verdict{.path = config::configuration_path(configuration.agent.name),
                               .commit_id = configuration.commit_id,
                               .content = row.content,
                               .fault = row.fault};
  const bool blank = row.content.find_first_not_of(" \t\r\n") == std::string::npos;
  verdict.state = !row.fault.empty() ? "invalid" : blank ? "absent" : "valid";
  if (verdict.state == "absent") verdict.warnings = look_alikes(configuration.agent);
  // Beside a fault of a newer version they would point to lines that are no more.
  if (!row.fault.empty()) return verdict;
  for (std::string& line : lines_of(row.warnings)) verdict.warnings.push_back(std::move(line));
  return verdict;
}

std::vector<std::string> Configurations::look_alikes(const Agent& agent) {
  constexpr std::size_t kMaxLookedAt = 1'000;
  std::vector<std::string> found;
  const auto note = [&](const std::string& path) {
    found.push_back(path + " is not looked at: the file of this agent is " +
                    config::configuration_path(agent.name));
  };
  auto project = core_.db.read([&](soci::session& sql) { return ProjectTable(sql).by_id(agent.project_id); });
  auto repository = core_.repositories.open(agent.project_id);
  if (!project || !*project || !repository) return found;
  const auto head = repository->branch_head((*project)->default_branch);
  if (!head || !*head) return found;
  auto folders = repository->tree(**head, ".gitlab/agents", false, 0, kMaxLookedAt);
  if (!folders) return found;
  for (const git::TreeEntry& folder : folders->entries) {
    if (folder.type != "tree" || config::plain_name(folder.name) != agent.name) continue;
    auto files = repository->tree(**head, folder.path, false, 0, kMaxLookedAt);
    if (!files) continue;
    for (const git::TreeEntry& file : files->entries) {
      if (config::plain_name(file.name) == config::plain_name(config::kFileName) &&
          file.path != config::configuration_path(agent.name)) {
        note(file.path);
      }
    }
  }
  return found;
}

Result<std::vector<AccessRule>> Configurations::save(const Subject& subject, Change change) {
  const StoredConfiguration wanted = change.row;
  const std::string path = config::configuration_path(subject.agent.name);
  StoredConfiguration row;
  auto rules = core_.db.write([&](soci::session& sql) -> Result<std::vector<AccessRule>> {
    row = wanted;
    row.agent_id = subject.agent.id;
    row.updated_at = core_.now();
    const auto before = AgentTable(sql).configuration(row.agent_id);
    // Another server may have been here first: what it found at this commit is what counts.
    if (before && before->resolved && before->commit_id == row.commit_id && before->content == row.content) {
      row.resolved = true;
      row.warnings = before->warnings;
    }
    std::vector<AccessRule> found;
    if (row.resolved) {
      found = AgentAccessTable(sql).of(row.agent_id, row.commit_id);
    } else {
      ResolvedAccess access;
      const auto project = ProjectTable(sql).by_id(subject.agent.project_id);
      if (project && change.listed != nullptr) access = resolve_access(sql, *project, change.listed->listed);
      if (change.listed != nullptr) row.warnings = describe(change.listed->warnings, path);
      const std::string more = describe(access.warnings, path);
      row.warnings += (row.warnings.empty() || more.empty() ? "" : "\n") + more;
      row.resolved = true;
      AgentAccessTable(sql).replace(row.agent_id, row.commit_id, access.rules);
      found = std::move(access.rules);
    }
    AgentTable(sql).save_configuration(row);
    if (!change.event.empty()) {
      AgentEventTable(sql).add({.agent_id = subject.agent.id,
                                .kind = change.event,
                                .detail = change.detail,
                                .recorded_at = row.updated_at});
    }
    return found;
  });
  if (rules && !wanted.resolved) {
    for (const std::string& warning : lines_of(row.warnings)) {
      core_.log.warn("agent configuration: " + warning,
                     {{"agent_id", subject.agent.id}, {"project", subject.agent.project_path}});
    }
  }
  return rules;
}

}  // namespace towline::control
