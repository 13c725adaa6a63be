#include "control/api/openapi.h"

#include <array>
#include <vector>

#include <boost/json.hpp>

#include "base/text.h"
#include "control/api/agents.h"
#include "control/api/respond.h"

namespace towline::control::api {
namespace {

namespace json = boost::json;

struct Parameter {
  std::string name;
  std::string type = "string";
  bool needed = false;
};

// "name! search page:integer", see Route::parameters.
std::vector<Parameter> parse(std::string_view text) {
  std::vector<Parameter> all;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    Parameter parameter;
    if (const auto colon = word.find(':'); colon != std::string_view::npos) {
      parameter.type = word.substr(colon + 1);
      word = word.substr(0, colon);
    }
    parameter.needed = word.ends_with('!');
    if (parameter.needed) word.remove_suffix(1);
    parameter.name = word;
    all.push_back(std::move(parameter));
  }
  return all;
}

json::object schema(const Parameter& parameter) {
  json::object out{{"type", parameter.type}};
  if (parameter.type == "array") out["items"] = json::object{};
  return out;
}

// "/projects/:id/files/*file_path" as "/projects/{id}/files/{file_path}", with its parameters.
std::string path_of(std::string_view pattern, json::array& parameters) {
  std::string path;
  while (!pattern.empty()) {
    const std::string_view part = pattern.substr(0, pattern.find('/', 1));
    pattern.remove_prefix(part.size());
    if (part.size() < 2 || (part[1] != ':' && part[1] != '*')) {
      path += part;
      continue;
    }
    const std::string name(part.substr(2));
    path += "/{" + name + "}";
    json::object parameter{
        {"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}};
    if (part[1] == '*') parameter["description"] = "Percent-encoded, slashes too";
    if (name == "id") parameter["description"] = "A number, or the percent-encoded full path";
    parameters.emplace_back(std::move(parameter));
  }
  return path;
}

json::object responses(const Route& route) {
  const auto error = [](const char* what) {
    return json::object{
        {"description", what},
        {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
  };
  json::object out{{"2XX", {{"description", "Done"}}}};
  if (!route.parameters.empty()) out["400"] = error("A parameter is missing or bad; the message names it");
  if (route.need != Need::kNobody) out["401"] = error("No valid credentials");
  if (route.need != Need::kNobody && route.need != Need::kLogin)
    out["403"] = error("The role or scope is too low");
  if (route.pattern.find(':') != std::string_view::npos)
    out["404"] = error("It does not exist for the caller");
  if (route.method == "POST") out["409"] = error("It exists already");
  if (route.need == Need::kLogin || route.need == Need::kPassword)
    out["429"] = error("Too many attempts; see Retry-After");
  return out;
}

json::object operation(const Route& route, json::array parameters) {
  const bool in_query = route.method == "GET" || route.method == "HEAD" || route.method == "DELETE";
  json::object properties;
  json::array needed;
  for (const Parameter& parameter : parse(route.parameters)) {
    if (in_query) {
      parameters.emplace_back(json::object{{"name", parameter.name},
                                           {"in", "query"},
                                           {"required", parameter.needed},
                                           {"schema", schema(parameter)}});
      continue;
    }
    properties[parameter.name] = schema(parameter);
    if (parameter.needed) needed.emplace_back(parameter.name);
  }
  json::object out{{"summary", route.summary}, {"parameters", parameters}, {"responses", responses(route)}};
  if (!properties.empty()) {
    json::object body{{"type", "object"}, {"properties", properties}};
    if (!needed.empty()) body["required"] = needed;
    out["requestBody"] = json::object{{"content", {{"application/json", {{"schema", body}}}}}};
  }
  if (route.need == Need::kNobody || route.need == Need::kLogin)
    out["security"] = json::array{json::object{}};
  return out;
}

Result<http::Response> show(Context& context) {
  return json_response(200, describe(context.core, all_routes()));
}

constexpr Route kRoutes[] = {
    {"GET", "/openapi.json", show, Need::kNobody, "This description"},
};

}  // namespace

std::span<const std::span<const Route>> all_routes() {
  static const std::array<std::span<const Route>, 15> kTables = {metadata_routes(),
                                                                 account_routes(),
                                                                 project_routes(),
                                                                 group_routes(),
                                                                 file_routes(),
                                                                 repository_routes(),
                                                                 configuration_file_routes(),
                                                                 agent_routes(),
                                                                 agent_page_routes(),
                                                                 branch_routes(),
                                                                 environment_routes(),
                                                                 project_token_routes(),
                                                                 session_routes(),
                                                                 url_configuration_routes(),
                                                                 kRoutes};
  return kTables;
}

json::object describe(const Core& core, std::span<const std::span<const Route>> tables) {
  json::object paths;
  for (const auto& table : tables) {
    for (const Route& route : table) {
      json::array parameters;
      const std::string path = path_of(route.pattern, parameters);
      json::value& item = paths[path];
      if (!item.is_object()) item.emplace_object();
      item.as_object()[lower_case(route.method)] = operation(route, std::move(parameters));
    }
  }
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "Towline"}, {"version", core.version}}},
          {"servers", json::array{json::object{{"url", core.external_url + "/api/v4"}}}},
          {"paths", paths},
          {"security",
           json::array{json::object{{"token", json::array{}}}, json::object{{"bearer", json::array{}}},
                       json::object{{"session", json::array{}}, {"csrf", json::array{}}}}},
          {"components",
           {{"schemas", {{"Error", {{"type", "object"}, {"properties", {{"message", json::object{}}}}}}}},
            {"securitySchemes",
             {{"token", {{"type", "apiKey"}, {"in", "header"}, {"name", "PRIVATE-TOKEN"}}},
              {"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
              {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", "__Host-towline_session"}}},
              {"csrf", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-CSRF-Token"}}}}}}}};
}

}  // namespace towline::control::api
