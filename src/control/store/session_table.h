#pragma once

#include <optional>
#include <string>

#include "control/store/records.h"

namespace soci {
class session;
}

namespace towline::control {

/// Sessions of the web page, by the hash of their secret.
class SessionTable {
 public:
  explicit SessionTable(soci::session& sql) : sql_(sql) {}

  std::int64_t create(const SessionRecord& session, const std::string& hash);
  std::optional<SessionRecord> by_hash(const std::string& hash);
  void remove(std::int64_t id);
  void remove_of_user(std::int64_t user_id);
  void remove_expired(Millis now);

 private:
  soci::session& sql_;
};

}  // namespace towline::control
