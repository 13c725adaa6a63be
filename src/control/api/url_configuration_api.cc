#include <boost/json.hpp>

#include "control/api/agents.h"
#include "control/api/respond.h"
#include "control/domain/url_configurations.h"
#include "control/store/database.h"
#include "control/store/environment_table.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

json::object render(const UrlConfiguration& configuration) {
  json::object out{
      {"id", configuration.id}, {"agent_id", configuration.agent_id}, {"url", configuration.url}};
  if (!configuration.public_key.empty()) out["public_key"] = configuration.public_key;
  if (!configuration.client_cert.empty()) out["client_cert"] = configuration.client_cert;
  if (!configuration.ca_cert.empty()) out["ca_cert"] = configuration.ca_cert;
  if (!configuration.tls_host.empty()) out["tls_host"] = configuration.tls_host;
  return out;
}

Result<http::Response> list(Context& context) {
  auto found = find_agent(context, kReadAgents);
  if (!found) return fail(found.error());
  const Page page = context.params.page();
  if (Status status = context.params.check(); !status.ok()) return fail(status);
  auto own = context.core.db.read(
      [&](soci::session& sql) { return UrlConfigurationTable(sql).of_agent(found->agent.id); });
  if (!own) return fail(own.error());
  json::array items;
  if (*own && page.number == 1) items.emplace_back(render(**own));
  return list_response(context, page, *own ? 1 : 0, std::move(items));
}

Result<UrlConfiguration> find(Context& context, Role needed) {
  auto found = find_agent(context, needed);
  if (!found) return fail(found.error());
  auto own = context.core.db.read(
      [&](soci::session& sql) { return UrlConfigurationTable(sql).by_id(context.number("url_id")); });
  if (!own) return fail(own.error());
  if (!*own || (*own)->agent_id != found->agent.id)
    return fail(Code::kNotFound, "404 URL Configuration Not Found");
  return std::move(**own);
}

Result<http::Response> get(Context& context) {
  auto own = find(context, kReadAgents);
  if (!own) return fail(own.error());
  return json_response(200, render(*own));
}

Result<http::Response> create(Context& context) {
  auto found = find_agent(context, kChangeAgents);
  if (!found) return fail(found.error());
  Params& params = context.params;
  NewUrlConfiguration wanted{.url = params.text("url"),
                             .client_cert = params.text_or("client_cert", ""),
                             .client_key = Secret(params.text_or("client_key", "")),
                             .ca_cert = params.text_or("ca_cert", ""),
                             .tls_host = params.text_or("tls_host", "")};
  if (Status status = params.check(); !status.ok()) return fail(status);
  auto made = UrlConfigurations(context.core).create(context.user(), found->agent, wanted);
  if (!made) return fail(made.error());
  return json_response(201, render(*made));
}

Result<http::Response> remove(Context& context) {
  auto own = find(context, kChangeAgents);
  if (!own) return fail(own.error());
  if (Status status = UrlConfigurations(context.core).remove(*own); !status.ok()) return fail(status);
  return no_content();
}

constexpr Route kRoutes[] = {
    {"GET", "/projects/:id/cluster_agents/:agent_id/url_configurations", list, Need::kUser,
     "How the server reaches a receptive agent", "page:integer per_page:integer"},
    {"POST", "/projects/:id/cluster_agents/:agent_id/url_configurations", create, Need::kUser,
     "Make an agent receptive", "url! client_cert client_key ca_cert tls_host"},
    {"GET", "/projects/:id/cluster_agents/:agent_id/url_configurations/:url_id", get, Need::kUser,
     "A URL configuration"},
    {"DELETE", "/projects/:id/cluster_agents/:agent_id/url_configurations/:url_id", remove, Need::kUser,
     "Make a receptive agent an ordinary one"},
};

}  // namespace

std::span<const Route> url_configuration_routes() { return kRoutes; }

}  // namespace towline::control::api
