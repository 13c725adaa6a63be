#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

class UserTable {
 public:
  explicit UserTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const User& user, const std::string& password_hash);
  std::optional<User> by_id(std::int64_t id);
  /// Compares without case, as paths do.
  std::optional<User> by_username(const std::string& username);
  /// By username or email, without case.
  std::optional<User> by_login(const std::string& login);
  /// `username` empty: all; else that one. `search` empty: all; else a part of name, username or email.
  /// Bots are not listed.
  Listed<User> list(const std::string& username, const std::string& search, Page page);
  /// The users that stand for a project's access tokens.
  std::vector<User> bots(std::int64_t project_id);
  void remove(std::int64_t id);
  /// With their tokens.
  void remove_bots(std::int64_t project_id);
  void set_state(std::int64_t id, const std::string& state);
  std::string password_hash(std::int64_t id);
  void set_password_hash(std::int64_t id, const std::string& hash);

 private:
  soci::session& sql_;
};

class AccessTokenTable {
 public:
  explicit AccessTokenTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const AccessToken& token, const std::string& hash);
  std::optional<AccessToken> by_id(std::int64_t id);
  std::optional<AccessToken> by_hash(const std::string& hash);
  struct Filter {
    std::int64_t user_id = 0;  // 0: everybody's
    std::string state;         // "active", "inactive" or empty
    Millis now = 0;
  };
  Listed<AccessToken> list(const Filter& filter, Page page);
  void revoke(std::int64_t id, Millis now);
  void touch(std::int64_t id, Millis now);

 private:
  soci::session& sql_;
};

/// Names and values that the control plane keeps for itself.
class SettingTable {
 public:
  explicit SettingTable(soci::session& sql) : sql_(sql) {}
  std::optional<std::string> get(const std::string& name);
  void set(const std::string& name, const std::string& value);

 private:
  soci::session& sql_;
};

/// `text` as a pattern for LIKE ... ESCAPE '\' that finds it anywhere.
std::string like_pattern(std::string_view text);

}  // namespace towline::control
