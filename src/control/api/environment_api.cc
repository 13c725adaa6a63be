#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "base/url.h"
#include "control/api/respond.h"
#include "control/store/agent_table.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxSlug = 24;
constexpr std::size_t kHashEnd = 7;  // "-" and six digits
constexpr std::array<std::string_view, 5> kTiers = {"production", "staging", "testing", "development",
                                                    "other"};

struct FoundEnvironment {
  FoundProject in;
  Environment environment;
};

Result<json::object> render_environment(Context& context, const FoundProject& in,
                                        const Environment& environment) {
  json::object out{{"id", environment.id},
                   {"name", environment.name},
                   {"slug", environment.slug},
                   {"state", environment.state},
                   {"tier", environment.tier},
                   {"external_url", environment.external_url.empty() ? json::value(nullptr)
                                                                     : json::value(environment.external_url)},
                   {"description", environment.description.empty() ? json::value(nullptr)
                                                                   : json::value(environment.description)},
                   {"created_at", json_time(environment.created_at)},
                   {"updated_at", json_time(environment.updated_at)},
                   {"project", render_short(in.project, in.space)},
                   {"cluster_agent", nullptr},
                   {"kubernetes_namespace", environment.kubernetes_namespace.empty()
                                                ? json::value(nullptr)
                                                : json::value(environment.kubernetes_namespace)},
                   {"flux_resource_path", environment.flux_resource_path.empty()
                                              ? json::value(nullptr)
                                              : json::value(environment.flux_resource_path)}};
  if (environment.cluster_agent_id == 0) return out;
  // The agent may be another project's; its name and number are all that is told of it.
  auto agent = context.core.db.read(
      [&](soci::session& sql) { return AgentTable(sql).by_id(environment.cluster_agent_id); });
  if (!agent) return fail(agent.error());
  if (*agent) out["cluster_agent"] = render(**agent, in.project, in.space);
  return out;
}

Result<http::Response> reply(Context& context, int status, const FoundProject& in,
                             const Environment& environment) {
  auto out = render_environment(context, in, environment);
  if (!out) return fail(out.error());
  return json_response(status, *out);
}

std::string with_hash(const std::string& slug, const std::string& name) {
  return slug.substr(0, kMaxSlug - kHashEnd) + "-" + sha256_hex(name).substr(0, kHashEnd - 1);
}

// GitLab's rule: lower case, everything else than letters and digits a "-", at most 24, unique by a hash's
// end.
std::string make_slug(const std::string& name) {
  std::string slug;
  bool changed = false;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    const bool upper = c >= 'A' && c <= 'Z';
    changed = changed || (!plain);
    slug.push_back(plain ? c : upper ? static_cast<char>(c - 'A' + 'a') : '-');
  }
  if (slug.empty() || slug[0] < 'a' || slug[0] > 'z') {
    slug = "env-" + slug;
    changed = true;
  }
  changed = changed || slug.size() > kMaxSlug;
  slug.resize(std::min(slug.size(), changed ? kMaxSlug - kHashEnd : kMaxSlug));
  while (slug.ends_with('-')) slug.pop_back();
  return changed ? with_hash(slug, name) : slug;
}

Result<FoundEnvironment> find(Context& context, Role needed) {
  auto project = find_project(context, needed);
  if (!project) return fail(project.error());
  const std::int64_t id = context.number("environment_id");
  auto environment =
      context.core.db.read([&](soci::session& sql) { return EnvironmentTable(sql).by_id(id); });
  if (!environment) return fail(environment.error());
  if (!*environment || (*environment)->project_id != project->project.id) {
    return fail(Code::kNotFound, "404 Environment Not Found");
  }
  return FoundEnvironment{std::move(*project), std::move(**environment)};
}

Result<http::Response> list(Context& context) {
  auto project = find_project(context, Role::kReporter);
  if (!project) return fail(project.error());
  EnvironmentTable::Filter filter{.project_id = project->project.id,
                                  .name = context.params.text_or("name", ""),
                                  .search = context.params.text_or("search", ""),
                                  .state = context.params.text_or("states", "")};
  const Page page = context.params.page();
  if (!filter.name.empty() && !filter.search.empty())
    context.params.refuse("name, search are mutually exclusive");
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto found =
      context.core.db.read([&](soci::session& sql) { return EnvironmentTable(sql).list(filter, page); });
  if (!found) return fail(found.error());
  json::array items;
  for (const Environment& environment : found->items) {
    auto out = render_environment(context, *project, environment);
    if (!out) return fail(out.error());
    items.emplace_back(std::move(*out));
  }
  return list_response(context, page, found->total, std::move(items));
}

Result<http::Response> get(Context& context) {
  auto found = find(context, Role::kReporter);
  if (!found) return fail(found.error());
  return reply(context, 200, found->in, found->environment);
}

// Reads what a request says of an environment over what is there.
Status read(Context& context, const FoundProject& in, Environment& environment) {
  Params& params = context.params;
  environment.tier = params.text_or("tier", environment.tier);
  environment.external_url = params.text_or("external_url", environment.external_url);
  environment.description = params.text_or("description", environment.description);
  environment.kubernetes_namespace = params.text_or("kubernetes_namespace", environment.kubernetes_namespace);
  environment.flux_resource_path = params.text_or("flux_resource_path", environment.flux_resource_path);
  environment.cluster_agent_id = params.number_or("cluster_agent_id", environment.cluster_agent_id);
  if (std::find(kTiers.begin(), kTiers.end(), environment.tier) == kTiers.end()) {
    params.refuse("tier does not have a valid value");
  }
  if (environment.name.size() > kMaxName) params.refuse("name is too long (maximum is 255 characters)");
  const auto url = parse_url(environment.external_url);
  if (!environment.external_url.empty() && (!url || (url->scheme != "http" && url->scheme != "https"))) {
    params.refuse("external_url must be an http or https address");
  }
  if (Status status = params.check(); !status.ok()) return status;
  if (environment.cluster_agent_id == 0) return {};
  auto agent = context.core.db.read(
      [&](soci::session& sql) { return AgentTable(sql).by_id(environment.cluster_agent_id); });
  if (!agent) return agent.error();
  if (!*agent || (*agent)->project_id != in.project.id) {
    return {Code::kInvalidArgument, "cluster_agent_id: the project has no such agent"};
  }
  return {};
}

Result<http::Response> create(Context& context) {
  auto project = find_project(context, Role::kDeveloper);
  if (!project) return fail(project.error());
  const Millis now = context.core.now();
  Environment made{.project_id = project->project.id,
                   .name = context.params.text("name"),
                   .created_at = now,
                   .updated_at = now};
  if (Status status = read(context, *project, made); !status.ok()) return fail(status);
  made.slug = make_slug(made.name);
  auto id = context.core.db.write([&](soci::session& sql) -> Result<std::int64_t> {
    EnvironmentTable table(sql);
    if (table.by_name(made.project_id, made.name)) {
      return fail(Code::kInvalidArgument, "name \"" + made.name + "\" has already been taken");
    }
    if (table.slug_taken(made.project_id, made.slug)) {
      made.slug = with_hash(made.slug, made.name);
    }
    return table.create(made);
  });
  if (!id) return fail(id.error());
  made.id = *id;
  return reply(context, 201, *project, made);
}

Result<http::Response> save(Context& context, FoundEnvironment& found) {
  found.environment.updated_at = context.core.now();
  const Status status =
      context.core.db.write([&](soci::session& sql) { EnvironmentTable(sql).update(found.environment); });
  if (!status.ok()) return fail(status);
  return reply(context, 200, found.in, found.environment);
}

Result<http::Response> update(Context& context) {
  auto found = find(context, Role::kDeveloper);
  if (!found) return fail(found.error());
  if (Status status = read(context, found->in, found->environment); !status.ok()) return fail(status);
  return save(context, *found);
}

Result<http::Response> stop(Context& context) {
  auto found = find(context, Role::kDeveloper);
  if (!found) return fail(found.error());
  found->environment.state = "stopped";
  return save(context, *found);
}

Result<http::Response> remove(Context& context) {
  auto found = find(context, Role::kDeveloper);
  if (!found) return fail(found.error());
  if (found->environment.state != "stopped") {
    return fail(Code::kPermissionDenied, "403 Forbidden: stop the environment before it is deleted");
  }
  const Status status =
      context.core.db.write([&](soci::session& sql) { EnvironmentTable(sql).remove(found->environment.id); });
  if (!status.ok()) return fail(status);
  return no_content();
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/environments", list, Need::kUser, "Environments of a project",
     "name search states page:integer per_page:integer"},
    {"POST", "/projects/:id/environments", create, Need::kUser, "Make an environment",
     "name! external_url tier description cluster_agent_id:integer kubernetes_namespace flux_resource_path"},
    {"GET", "/projects/:id/environments/:environment_id", get, Need::kUser, "An environment"},
    {"PUT", "/projects/:id/environments/:environment_id", update, Need::kUser, "Change an environment",
     "external_url tier description cluster_agent_id:integer kubernetes_namespace flux_resource_path"},
    {"POST", "/projects/:id/environments/:environment_id/stop", stop, Need::kUser, "Stop an environment"},
    {"DELETE", "/projects/:id/environments/:environment_id", remove, Need::kUser,
     "Delete a stopped environment"},
};

}  // namespace

std::span<const Route> environment_routes() { return kRoutes; }

}  // namespace towline::control::api
