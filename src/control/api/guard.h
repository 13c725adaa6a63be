#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/secret.h"
#include "base/status.h"
#include "control/api/throttle.h"
#include "control/domain/accounts.h"
#include "control/domain/core.h"
#include "http/service.h"
#include "http/simple.h"

namespace towline::control::api {

/// Who calls, and by what; for all that answers below /api, so that those who try tokens are counted once.
/// Safe from any thread.
class Guard {
 public:
  explicit Guard(Core& core) : core_(core), throttle_(core.clock, {}), logins_(core.clock) {}

  struct Known {
    std::optional<Caller> caller;
    std::optional<Secret> session;  // by which he came, when it was not by a token
  };
  /// By the token or the session of a request; nobody without either. UNAUTHENTICATED for a wrong token,
  /// which should be counted by throttle().failed(). What receive() found out, `visitor`,
  /// counts as long as nothing has changed since.
  Result<Known> identify(const http::Request& request, const http::Visitor* visitor = nullptr) const;

  /// Whether there is a token or a session to look up.
  bool bears_credentials(const http::RequestHead& head) const;
  /// As identify(), for the head of a request whose body is still to come.
  Result<std::shared_ptr<const http::Visitor>> receive(const http::Request& request) const;

  /// Whether the caller's token has the scope that is needed to read or to change.
  static bool scope_fits(const Known& known, bool changes);
  /// Whether a change comes from a page that may make it, and not from a foreign one with the session's
  /// cookie.
  static bool csrf_fits(const http::Request& request, const Known& known);

  /// Notes who changed what and from where, in the log and in the database.
  void audit(const http::Request& request, const User& user, const std::string& action,
             const std::string& target);

  /// Adds the headers that keep browsers from storing, sniffing, framing or running an answer, and from plain
  /// HTTP where people reach the server by https.
  http::Response harden(http::Response response) const;

  Throttle& throttle() { return throttle_; }
  LoginThrottle& logins() { return logins_; }

 private:
  Result<Known> look_up(const http::Request& request) const;

  Core& core_;
  Throttle throttle_;
  LoginThrottle logins_;
};

}  // namespace towline::control::api
