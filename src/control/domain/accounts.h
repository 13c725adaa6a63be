#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "control/domain/core.h"

namespace towline::control {

inline constexpr std::array<std::string_view, 5> kScopes = {"api", "read_api", "k8s_proxy", "read_repository",
                                                            "write_repository"};

/// Who makes a request, and by which token.
struct Caller {
  User user;
  AccessToken token;
};

struct NewUser {
  std::string username;
  std::string name;
  std::string email;
  Secret password;
  bool admin = false;
};

struct NewAccessToken {
  std::int64_t user_id = 0;
  std::string name;
  std::vector<std::string> scopes;
  Millis expires_at = 0;
};

/// Users and their personal access tokens. Blocks. Safe from any thread.
class Accounts {
 public:
  explicit Accounts(Core& core) : core_(core) {}

  /// UNAUTHENTICATED for a token that is unknown, expired or revoked, or whose user is blocked; which of
  /// these is not said. Notes the token's use.
  Result<Caller> authenticate(const Secret& token);

  /// Makes the user with a namespace of his own. ALREADY_EXISTS for a username, path or address that is
  /// taken.
  Result<User> create_user(const NewUser& user);

  struct Created {
    AccessToken token;
    Secret value;  // the only time it is seen
  };
  /// INVALID_ARGUMENT for a token that create_token would refuse.
  Status check(const NewAccessToken& token) const;
  /// Keeps a token that `maker` makes within what he may himself: PERMISSION_DENIED for a scope that his own
  /// token does not have, and for the user of a project's token. It ends with his own at the latest, and
  /// after Core::token_life when no end is asked for. A session proves the password: its end is not the
  /// token's.
  Status bound(const Caller& maker, NewAccessToken& token) const;
  /// `value`, when given, becomes the token instead of a random one.
  Result<Created> create_token(const NewAccessToken& token, std::optional<Secret> value = std::nullopt);
  Status revoke_token(std::int64_t token_id);

 private:
  Core& core_;
};

}  // namespace towline::control
