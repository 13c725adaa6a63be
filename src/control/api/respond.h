#pragma once

#include <functional>
#include <optional>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/status.h"
#include "control/api/router.h"
#include "http/simple.h"

namespace towline::control::api {

http::Response json_response(int status, const boost::json::value& value);
/// One page of a list, with the headers X-Page, X-Total, Link and so on.
http::Response list_response(Context& context, Page page, std::int64_t total, boost::json::array items);
/// The same of a list that may be too long to be counted: without X-Total, X-Total-Pages and the link to the
/// last page then. `more` tells whether there is a next page.
http::Response list_response(Context& context, Page page, std::optional<std::int64_t> total, bool more,
                             boost::json::array items);
http::Response no_content();
/// {"message": ...} with the HTTP status of the code.
http::Response error_response(const Status& status);

/// "2026-01-31T12:00:00.000Z"; null for 0.
boost::json::value json_time(Millis time);
/// "2026-01-31"; null for 0.
boost::json::value json_date(Millis time);
/// Milliseconds of midnight of "2026-01-31"; nothing for what is no date.
std::optional<Millis> parse_date(std::string_view text);
/// A number; null for 0.
boost::json::value json_id(std::int64_t id);

boost::json::object render(const Core& core, const User& user, bool with_email);
boost::json::object render(const AccessToken& token, Millis now);
boost::json::object render(const Core& core, const Namespace& space);
boost::json::object render_group(const Core& core, const Namespace& group);
boost::json::object render_short(const Project& project, const Namespace& space);
boost::json::object render(const Core& core, const Project& project, const Namespace& space);
boost::json::object render(const Core& core, const Member& member);
boost::json::object render(const AgentRecord& agent, const Project& project, const Namespace& space);
boost::json::object render(const AgentToken& token, bool with_last_use);

/// The project that the path names by number or full path, with the caller's role. NOT_FOUND when the caller
/// may not see it, PERMISSION_DENIED when his role is lower than `needed`. Files and the like of a visible
/// project need no role when `needed` is kNone.
struct FoundProject {
  Project project;
  Namespace space;
  Role role = Role::kNone;
};
Result<FoundProject> find_project(Context& context, Role needed);
/// The same for reading its repository, as over Git: PERMISSION_DENIED for guests of a private project.
Result<FoundProject> find_code(Context& context);
/// The same of a project that `look_up` finds.
template <typename T>
using LookUp = std::function<std::optional<T>(soci::session&)>;
Result<FoundProject> find_project(Core& core, const std::optional<Caller>& caller,
                                  const LookUp<Project>& look_up, Role needed);

struct FoundGroup {
  Namespace group;
  Role role = Role::kNone;
};
Result<FoundGroup> find_group(Context& context, Role needed);
Result<FoundGroup> find_group(Core& core, const std::optional<Caller>& caller,
                              const LookUp<Namespace>& look_up, Role needed);

}  // namespace towline::control::api
