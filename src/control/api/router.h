#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <boost/json/value.hpp>

#include "base/status.h"
#include "control/api/params.h"
#include "control/domain/accounts.h"
#include "control/domain/core.h"
#include "control/store/namespace_table.h"
#include "http/simple.h"

namespace towline::control::api {

/// One request on its way through a handler.
struct Context {
  Core& core;
  const http::Request& request;
  std::string path;                          // below /api/v4, still encoded
  std::map<std::string, std::string> named;  // parts of the path, decoded
  Params params;
  std::optional<Caller> caller;
  std::optional<Secret> session;  // by which the caller came, when it was not by a token

  /// The caller, where the route requires one.
  const User& user() const { return caller->user; }
  Viewer viewer() const;
  const std::string& part(const std::string& name) const { return named.at(name); }
  /// A part of the path that must be a number; 0, which is nobody's, when it is none.
  std::int64_t number(const std::string& name) const;
};

/// Answers a request; a failure becomes a response by its code (see error_response). Blocks a thread of the
/// pool.
using Handler = Result<http::Response> (*)(Context&);

/// For what takes long without needing a thread: the handler looks at the request, and gives the work that
/// the answer waits for, by the rules of http::Later. The context is gone when the work begins.
using Work = std::move_only_function<std::unique_ptr<io::Operation>(
    io::Loop& loop, std::move_only_function<void(Result<http::Response>)> done)>;
using SlowHandler = Result<Work> (*)(Context&);

/// Whom a route serves.
enum class Need {
  kNobody,    // also those without a token
  kAnyToken,  // whatever its scopes
  kUser,
  kAdmin,
  kLogin,     // also those without a token; answers of 401 count against the address and the login
  kPassword,  // a person by a session; answers of 401 count against the login
};

/// `pattern` is a path whose parts ":name" stand for one segment and "*name" (at most once) for one or more.
struct Route {
  std::string_view method;
  std::string_view pattern;
  std::variant<Handler, SlowHandler> handler;
  Need need = Need::kUser;
  std::string_view summary = {};
  /// Query and body parameters for the description: "name! search page:integer", "!" for those that are
  /// needed.
  std::string_view parameters = {};
};

/// Every group of endpoints has a table of its own.
std::span<const Route> account_routes();
std::span<const Route> project_routes();
std::span<const Route> group_routes();
std::span<const Route> file_routes();
std::span<const Route> repository_routes();
std::span<const Route> agent_routes();
std::span<const Route> agent_page_routes();
std::span<const Route> branch_routes();
std::span<const Route> environment_routes();
std::span<const Route> project_token_routes();
std::span<const Route> session_routes();
std::span<const Route> url_configuration_routes();
std::span<const Route> metadata_routes();

/// The route for a method and an encoded path, with the decoded parts. HEAD falls back to GET. NOT_FOUND; or
/// UNIMPLEMENTED when the path exists with other methods only.
struct Match {
  const Route* route = nullptr;
  std::map<std::string, std::string> named;
};
Result<Match> match(std::span<const std::span<const Route>> tables, std::string_view method,
                    std::string_view path);

}  // namespace towline::control::api
