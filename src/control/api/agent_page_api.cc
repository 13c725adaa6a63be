// What the page of an agent shows beside the agent itself.
#include <array>
#include <map>

#include <boost/json.hpp>

#include "control/agent_doctor.h"
#include "control/api/agents.h"
#include "control/api/respond.h"
#include "control/config/configuration_file.h"
#include "control/domain/configurations.h"
#include "control/domain/contents.h"
#include "control/domain/names.h"
#include "control/domain/usage.h"
#include "control/store/agent_event_table.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/utf8.h"
#include "io/dial.h"
#include "io/loop.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kFolder = ".gitlab/agents";

Result<http::Response> list_connections(Context& context) {
  auto found = find_agent(context, kReadAgents);
  if (!found) return fail(found.error());
  context.core.usage.flush();
  auto connections = context.core.db.read([&](soci::session& sql) {
    return AgentConnectionTable(sql).of_agent(found->agent.id, context.core.now());
  });
  if (!connections) return fail(connections.error());
  json::array items;
  for (const AgentConnection& each : *connections) {
    items.emplace_back(json::object{{"pod_id", std::to_string(each.id)},
                                    {"pod_name", each.pod_name},
                                    {"pod_namespace", each.pod_namespace},
                                    {"version", each.version},
                                    {"commit", each.commit_id},
                                    {"connected_at", json_time(each.connected_at)},
                                    {"last_seen_at", json_time(each.last_seen_at)}});
  }
  return json_response(200, items);
}

json::object render_event(const AgentEvent& event) {
  json::value user = nullptr;
  if (!event.username.empty()) {
    user = json::object{{"id", event.user_id}, {"username", event.username}, {"name", event.user_name}};
  }
  json::value token = nullptr;
  if (!event.token_name.empty()) token = json::object{{"id", event.token_id}, {"name", event.token_name}};
  return {{"id", event.id},         {"kind", event.kind}, {"recorded_at", json_time(event.recorded_at)},
          {"detail", event.detail}, {"user", user},       {"agent_token", token}};
}

Result<http::Response> list_activity(Context& context) {
  auto found = find_agent(context, kReadAgents);
  if (!found) return fail(found.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  context.core.usage.flush();
  auto events = context.core.db.read([&](soci::session& sql) {
    return AgentEventTable(sql).list(found->agent.id, context.core.now(), page);
  });
  if (!events) return fail(events.error());
  json::array items;
  for (const AgentEvent& event : events->items) items.emplace_back(render_event(event));
  return list_response(context, page, events->total, std::move(items));
}

Result<http::Response> get_configuration(Context& context) {
  auto found = find_agent(context, kReadAgents);
  if (!found) return fail(found.error());
  auto verdict = context.core.configurations.verdict(found->agent.id);
  if (!verdict) return fail(verdict.error());
  json::object out = render(*verdict);
  out["content"] = verdict->content;
  return json_response(200, out);
}

Result<git::TreePage> configuration_files(Context& context, const Project& project, Page page) {
  auto repository = Contents(context.core).open(project, context.request.interrupt);
  if (!repository) return fail(repository.error());
  auto head = repository->branch_head(project.default_branch);
  if (!head) return fail(head.error());
  if (!*head) return git::TreePage{.total = 0};
  auto files = repository->files_in_folders(**head, std::string(kFolder), "config.yaml",
                                            static_cast<std::size_t>(page.offset()),
                                            static_cast<std::size_t>(page.size));
  if (!files && files.error().code() == Code::kNotFound) return git::TreePage{.total = 0};
  return files;
}

// The name of the folder in which a configuration file is.
std::string agent_of(const git::TreeEntry& file) {
  const std::size_t start = kFolder.size() + 1;
  return file.path.substr(start, file.path.rfind('/') - start);
}

// Files that were probably meant to be configurations; few are enough to say so.
Status add_look_alikes(Context& context, const Project& project, json::array& items) {
  constexpr std::array<const char*, 3> kWrong = {"config.yml", "Config.yaml", "Config.yml"};
  constexpr std::size_t kFew = 20;
  auto repository = Contents(context.core).open(project);
  if (!repository) return repository.error();
  auto head = repository->branch_head(project.default_branch);
  if (!head) return head.error();
  for (const char* name : kWrong) {
    if (!*head) break;
    auto files = repository->files_in_folders(**head, std::string(kFolder), name, 0, kFew);
    if (!files) continue;
    for (const git::TreeEntry& file : files->entries) {
      items.emplace_back(
          json::object{{"name", to_utf8(agent_of(file))},
                       {"path", to_utf8(file.path)},
                       {"agent_id", nullptr},
                       {"warning", "the file's name must be " + std::string(config::kFileName)}});
    }
  }
  return {};
}

// Why no agent follows a configuration file; null when one does or can.
json::value folder_warning(const git::TreeEntry& file) {
  const Status possible = check_agent_name(agent_of(file));
  return possible.ok() ? json::value(nullptr)
                       : json::value(to_utf8("no agent can have this folder: " + possible.message()));
}

// The configuration files of the default branch, with the agents that follow them, and behind the last those
// that nobody follows.
Result<http::Response> list_configurations(Context& context) {
  auto project = find_project(context, kReadAgents);
  if (!project) return fail(project.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto files = configuration_files(context, project->project, page);
  if (!files) return fail(files.error());
  std::vector<std::string> names;
  for (const git::TreeEntry& file : files->entries) {
    if (is_utf8(agent_of(file))) names.push_back(agent_of(file));
  }
  auto agents = context.core.db.read(
      [&](soci::session& sql) { return AgentTable(sql).by_names(project->project.id, names); });
  if (!agents) return fail(agents.error());
  std::map<std::string, std::int64_t> ids;
  for (const AgentRecord& agent : *agents) ids[agent.name] = agent.id;
  json::array items;
  for (const git::TreeEntry& file : files->entries) {
    const auto id = ids.find(agent_of(file));
    items.emplace_back(json::object{{"name", to_utf8(agent_of(file))},
                                    {"path", to_utf8(file.path)},
                                    {"agent_id", json_id(id == ids.end() ? 0 : id->second)},
                                    {"warning", folder_warning(file)}});
  }
  if (page.number == 1 && !files->more) {
    if (Status status = add_look_alikes(context, project->project, items); !status.ok()) return fail(status);
  }
  return list_response(context, page, files->total, files->more, std::move(items));
}

Result<http::Response> render_examination(Result<std::string> report) {
  if (report) {
    return http::Response{
        .status = 200, .headers = {{"content-type", "application/json"}}, .body = std::move(*report)};
  }
  switch (report.error().code()) {
    case Code::kResourceExhausted: {
      http::Response response = http::json_message(429, report.error().message());
      response.headers.add("retry-after", "5");
      return response;
    }
    case Code::kUnimplemented:
      return http::json_message(501, report.error().message());
    default:
      return fail(std::move(report.error()));
  }
}

// Asks the agent itself, which takes seconds.
Result<Work> examine(Context& context) {
  auto found = find_agent(context, kReadAgents);
  if (!found) return fail(found.error());
  AgentDoctor* const doctor = context.core.agent_doctor;
  if (doctor == nullptr) return fail(Code::kUnavailable, "agents cannot be reached from here");
  return [doctor, id = found->agent.id](io::Loop& loop, auto done) {
    return doctor->examine(loop, id, [done = std::move(done)](Result<std::string> report) mutable {
      done(render_examination(std::move(report)));
    });
  };
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/cluster_agents/:agent_id/connections", list_connections, Need::kUser,
     "Pods of the agent that are connected"},
    {"GET", "/projects/:id/cluster_agents/:agent_id/activity", list_activity, Need::kUser,
     "A week of what happened to the agent, the newest first", "page:integer per_page:integer"},
    {"POST", "/projects/:id/cluster_agents/:agent_id/doctor", examine, Need::kUser,
     "Has a connected agent check its way to the server and to its cluster"},
    {"GET", "/projects/:id/cluster_agents/:agent_id/configuration", get_configuration, Need::kUser,
     "The configuration in force and what its newest version is worth"},
};
// Before the routes that take "configurations" for an agent's number.
constexpr Route kFirst[] = {
    {"GET", "/projects/:id/cluster_agents/configurations", list_configurations, Need::kUser,
     "Configuration files in the repository, with or without an agent", "page:integer per_page:integer"},
};

}  // namespace

std::span<const Route> agent_page_routes() { return kRoutes; }
std::span<const Route> configuration_file_routes() { return kFirst; }

json::object render(const ConfigurationVerdict& verdict) {
  json::array warnings;
  for (const std::string& warning : verdict.warnings) warnings.emplace_back(warning);
  return {{"state", verdict.state},
          {"path", verdict.path},
          {"commit_id", verdict.commit_id},
          {"fault", verdict.fault.empty() ? json::value(nullptr) : json::value(verdict.fault)},
          {"warnings", warnings}};
}

json::object render(const AgentStatus& status, const AgentRecord& agent) {
  json::array versions;
  for (const std::string& version : status.versions) versions.emplace_back(version);
  json::array warnings;
  for (const auto& warning : status.warnings) {
    warnings.emplace_back(json::object{{"code", warning.code}, {"message", warning.message}});
  }
  return {{"state", status.state},
          {"last_contact_at", json_time(agent.last_contact_at)},
          {"versions", versions},
          {"warnings", warnings},
          {"connections", status.connections}};
}

}  // namespace towline::control::api
