#include "control/git_http/gate.h"

#include <optional>

#include "base/encoding.h"
#include "control/domain/accounts.h"
#include "control/domain/projects.h"
#include "control/store/database.h"
#include "control/store/namespace_table.h"

namespace towline::control::git_http {
namespace {

constexpr std::string_view kRead = "git-upload-pack";
constexpr std::string_view kWrite = "git-receive-pack";

std::unexpected<http::Response> refuse(int status, const std::string& message) {
  return std::unexpected(git_message(status, message));
}

std::unexpected<http::Response> ask_for_credentials() {
  http::Response response =
      git_message(401, "HTTP Basic: Access denied. Use a personal access token as the password.");
  response.headers.add("www-authenticate", "Basic realm=\"Towline\"");
  return std::unexpected(std::move(response));
}

std::unexpected<http::Response> unavailable() {
  return refuse(503, "The server cannot answer now; try again.");
}

std::optional<Secret> credentials(const http::RequestHead& head) {
  const auto header = head.headers.get("authorization");
  if (!header) return std::nullopt;
  const auto space = header->find(' ');
  const std::string_view scheme = header->substr(0, space);
  const std::string_view value = space == std::string_view::npos ? "" : header->substr(space + 1);
  if (http::equals_ignoring_case(scheme, "bearer")) return Secret(std::string(value));
  if (!http::equals_ignoring_case(scheme, "basic")) return Secret();
  const auto pair = base64_decode(value);
  if (!pair) return Secret();
  const auto colon = pair->find(':');
  return Secret(colon == std::string::npos ? std::string() : pair->substr(colon + 1));
}

bool may_read(const Project& project, const std::optional<Caller>& caller, Role role) {
  if (project.visibility == "public" || (project.visibility == "internal" && caller)) return true;
  return role >= Role::kReporter;
}

bool scope_allows(const AccessToken& token, bool writes) {
  return token.has_scope("api") || token.has_scope("write_repository") ||
         (!writes && token.has_scope("read_repository"));
}

struct Found {
  Project project;
  Role role = Role::kNone;
};

}  // namespace

Result<Operation> parse_operation(const http::RequestHead& head) {
  const auto none = [] { return fail(Code::kNotFound, "404 Not Found"); };
  const std::string_view path = head.path();
  const auto split = path.rfind(".git/");
  if (split == std::string_view::npos || split < 2) return none();
  auto project = percent_decode(path.substr(1, split - 1));
  if (!project) return none();
  Operation operation{.project_path = std::move(*project), .endpoint = std::string(path.substr(split + 4))};
  if (operation.endpoint == "/info/refs" && head.method == "GET") {
    // Without a service it is the dumb protocol, which gives whole files away unasked for.
    if (head.query() == "service=git-upload-pack") return operation;
    operation.writes = head.query() == "service=git-receive-pack";
    if (operation.writes) return operation;
    return none();
  }
  operation.writes = operation.endpoint.substr(1) == kWrite;
  const auto encoding = head.headers.get("content-encoding");
  operation.compressed = encoding && (*encoding == "gzip" || *encoding == "x-gzip");
  if (head.method == "POST" && (operation.writes || operation.endpoint.substr(1) == kRead)) return operation;
  return none();
}

http::Response git_message(int status, const std::string& message) {
  return {.status = status,
          .headers = {{"content-type", "text/plain; charset=utf-8"}, {"cache-control", "no-store"}},
          .body = message + "\n"};
}

std::expected<Permit, http::Response> Gate::check(const Operation& operation, const http::RequestHead& head,
                                                  std::string_view peer) {
  std::optional<Caller> caller;
  if (const auto token = credentials(head)) {
    auto known = Accounts(core_).authenticate(*token);
    if (!known && known.error().code() != Code::kUnauthenticated) return unavailable();
    if (!known && !throttle_.failed(peer)) return refuse(429, "Too many wrong passwords; wait a minute.");
    if (!known) return ask_for_credentials();
    caller = std::move(*known);
  }
  auto found = core_.db.read([&](soci::session& sql) -> std::optional<Found> {
    auto project = ProjectTable(sql).by_path(operation.project_path);
    if (!project) return std::nullopt;
    const Role role = caller ? role_of(sql, caller->user, *project) : Role::kNone;
    return Found{std::move(*project), role};
  });
  if (!found) return unavailable();
  const bool visible =
      *found && (may_read((*found)->project, caller, (*found)->role) || (*found)->role != Role::kNone);
  if (!caller && (!visible || operation.writes)) return ask_for_credentials();
  if (!visible) return refuse(404, "The project you were looking for could not be found.");
  const Project& project = (*found)->project;
  if (caller && !scope_allows(caller->token, operation.writes) &&
      (operation.writes || project.visibility != "public")) {
    return refuse(403, operation.writes ? "Your token needs the scope write_repository or api."
                                        : "Your token needs the scope read_repository or api.");
  }
  if (!may_read(project, caller, (*found)->role)) {
    return refuse(403, "You need at least the reporter role to read this repository.");
  }
  if (operation.writes && (*found)->role < Role::kDeveloper) {
    return refuse(403, "You need at least the developer role to push to this repository.");
  }
  return Permit{.project = project,
                .username = caller ? caller->user.username : std::string(),
                .user_id = caller ? caller->user.id : 0,
                .token_id = caller ? caller->token.id : 0};
}

}  // namespace towline::control::git_http
