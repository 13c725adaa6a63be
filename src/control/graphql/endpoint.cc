#include "control/graphql/endpoint.h"

#include <boost/json.hpp>

#include "control/api/params.h"
#include "control/api/respond.h"
#include "control/graphql/input.h"
#include "control/graphql/parser.h"
#include "control/graphql/types.h"
#include "control/graphql/validation.h"

namespace towline::control::graphql {
namespace {

namespace json = boost::json;

// The text of a request has a limit of its own; this leaves room for variables.
constexpr std::size_t kMaxBody = 256 * 1024;

json::array render(const std::vector<Problem>& problems) {
  json::array all;
  for (const Problem& problem : problems) {
    json::object& each = all.emplace_back(json::object{{"message", problem.message}}).as_object();
    json::array locations;
    for (const Location& at : problem.locations) {
      locations.push_back(json::object{{"line", at.line}, {"column", at.column}});
    }
    if (!locations.empty()) each["locations"] = std::move(locations);
    if (!problem.path.empty()) each["path"] = problem.path;
  }
  return all;
}

http::Response refuse(int status, const std::vector<Problem>& problems) {
  return api::json_response(status, json::object{{"errors", render(problems)}});
}
http::Response refuse(int status, std::string message) {
  return refuse(status, {Problem{std::move(message)}});
}

struct Asked {
  std::string query;
  std::string operation;
  json::object variables;
};

// The three parameters; a query string and a form hold the variables as text.
Result<Asked> read(const http::Request& request) {
  auto params = api::Params::parse(request);
  if (!params) return fail(params.error());
  Asked asked{.query = params->text("query"), .operation = params->text_or("operationName", "")};
  if (Status status = params->check(); !status.ok()) return fail(status);
  const json::value* given = params->find("variables");
  if (given == nullptr) return asked;
  json::value parsed = *given;
  if (const auto* text = given->if_string()) {
    json::error_code error;
    parsed = text->empty() ? json::value(json::object()) : json::parse(*text, error);
    if (error) return fail(Code::kInvalidArgument, "variables is not valid JSON: " + error.message());
  }
  if (parsed.is_null()) return asked;
  if (!parsed.is_object()) return fail(Code::kInvalidArgument, "variables is invalid: it must be an object");
  asked.variables = std::move(parsed.get_object());
  return asked;
}

Checked<const Operation*> choose(const Document& document, const std::string& name) {
  if (name.empty() && document.operations.size() == 1) return &document.operations.front();
  if (name.empty())
    return std::unexpected(Problem{.message = "operationName is missing: there are several operations"});
  for (const Operation& each : document.operations) {
    if (each.name == name) return &each;
  }
  return std::unexpected(Problem{.message = "There is no operation \"" + name + "\""});
}

std::optional<http::Response> forbid(const http::Request& request, const api::Guard::Known& known,
                                     const Operation& operation) {
  const bool changes = operation.mutation;
  if (changes && request.head.method != "POST") return refuse(405, "Mutations need the method POST");
  if (!api::Guard::scope_fits(known, changes)) {
    return refuse(403,
                  changes ? "The token needs the scope api" : "The token needs the scope read_api or api");
  }
  if (changes && !api::Guard::csrf_fits(request, known)) {
    return refuse(403, "The header X-CSRF-Token is missing or wrong");
  }
  return std::nullopt;
}

http::Response refuse_credentials(api::Throttle& throttle, std::string_view peer) {
  if (throttle.failed(peer)) return refuse(401, "Invalid token");
  http::Response response = refuse(429, "Too many requests with a wrong token");
  response.headers.add("retry-after", std::to_string(throttle.retry_after()));
  return response;
}

}  // namespace

http::Response Endpoint::run(const http::Request& request, const api::Guard::Known& known) {
  auto asked = read(request);
  if (!asked) return refuse(400, asked.error().message());
  const auto document = parse(asked->query);
  if (!document) return refuse(400, {document.error()});
  const auto chosen = choose(*document, asked->operation);
  if (!chosen) return refuse(400, {chosen.error()});
  const Operation& operation = **chosen;
  if (auto refusal = forbid(request, known, operation)) return std::move(*refusal);
  const auto problems = validate(schema(), *document);
  if (!problems.empty()) return refuse(400, problems);
  const auto variables = coerce_variables(schema(), operation, asked->variables);
  if (!variables) return refuse(400, {variables.error()});
  Execution execution{.core = core_, .schema = schema(), .caller = known.caller};
  execution.audit = [&](const std::string& mutation, const std::string& target) {
    guard_.audit(request, known.caller->user, "graphql " + mutation, target);
  };
  Outcome outcome = execute(execution, *document, operation, *variables);
  json::object answer{{"data", std::move(outcome.data)}};
  if (!outcome.problems.empty()) answer["errors"] = render(outcome.problems);
  return api::json_response(200, std::move(answer));
}

http::Response Endpoint::decide(const http::Request& request, const http::Visitor* visitor) {
  if (request.head.path() != kPath) return refuse(404, "404 Not Found");
  if (request.head.method != "GET" && request.head.method != "POST") {
    http::Response response = refuse(405, "The methods are GET and POST");
    response.headers.add("allow", "GET, POST");
    return response;
  }
  if (request.body.size() > kMaxBody) return refuse(413, "The request is longer than 256 KiB");
  auto known = guard_.identify(request, visitor);
  return known ? run(request, *known) : refuse_caller(request, known.error());
}

http::Response Endpoint::refuse_caller(const http::Request& request, const Status& reason) {
  if (reason.code() == Code::kUnauthenticated) return refuse_credentials(guard_.throttle(), request.peer);
  core_.log.error("GraphQL request failed", {{"error", reason.to_string()}});
  return refuse(500, "Internal server error");
}

http::Response Endpoint::answer(const http::Request& request, const http::Visitor* visitor) {
  return guard_.harden(decide(request, visitor));
}

}  // namespace towline::control::graphql
