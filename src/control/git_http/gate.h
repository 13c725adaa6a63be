#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "control/api/throttle.h"
#include "control/domain/core.h"
#include "http/simple.h"

namespace towline::control::git_http {

/// What of Git's smart protocol a request asks for.
struct Operation {
  std::string project_path;  // "group/project"
  std::string endpoint;      // "/info/refs", "/git-upload-pack" or "/git-receive-pack"
  bool writes = false;       // a push, be it only its first request
  bool compressed = false;   // the body is
  /// The request that moves references.
  bool moves_references() const { return endpoint == "/git-receive-pack"; }
};

/// NOT_FOUND for what is not Git's smart protocol over HTTP.
Result<Operation> parse_operation(const http::RequestHead& head);

/// A request that may go on to Git.
struct Permit {
  Project project;
  std::string username;  // empty: nobody
  std::int64_t user_id = 0;
  std::int64_t token_id = 0;
};

/// Who may read and write repositories over HTTP: by basic authentication with a personal access token as the
/// password (or as a bearer), its scope, and its owner's role. Blocks; safe from any thread.
class Gate {
 public:
  explicit Gate(Core& core) : core_(core), throttle_(core.clock, {}) {}

  /// A permit, or the response that refuses it. What one may not see does not exist, but without credentials
  /// the answer is always to show some, because git asks for them only then.
  std::expected<Permit, http::Response> check(const Operation& operation, const http::RequestHead& head,
                                              std::string_view peer);

 private:
  Core& core_;
  api::Throttle throttle_;
};

/// A message that git shows to its user.
http::Response git_message(int status, const std::string& message);

}  // namespace towline::control::git_http
