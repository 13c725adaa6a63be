#pragma once

#include <string>

#include "base/secret.h"
#include "base/status.h"
#include "control/domain/accounts.h"
#include "control/domain/core.h"

namespace towline::control {

/// Sessions of people on the web page. Blocks. Safe from any thread.
class Sessions {
 public:
  static constexpr Millis kLife = Millis{14} * 24 * 3600 * 1000;

  explicit Sessions(Core& core) : core_(core) {}

  struct Opened {
    User user;
    Secret value;  // the cookie's; the only time it is seen
  };
  /// By username or email. UNAUTHENTICATED, in the same time and words whatever was wrong.
  Result<Opened> open(const std::string& login, const Secret& password);
  /// The person whose session this is, with a token that has the scope "api" and no number. UNAUTHENTICATED.
  Result<Caller> authenticate(const Secret& value);
  Status close(const Secret& value);
  /// Ends all of the person's sessions. UNAUTHENTICATED when `current` is wrong.
  Status change_password(const User& user, const Secret& current, const Secret& wanted);

  /// What requests that change something must show beside the cookie: whoever can read it is on our own page.
  static std::string csrf_token(const Secret& value);

 private:
  Core& core_;
};

}  // namespace towline::control
