#pragma once

#include <span>
#include <string_view>

#include "base/status.h"

namespace soci {
class session;
}

namespace towline::control {

/// One step of the schema. `statements` are separated by ";\n" and written for SQLite and PostgreSQL alike;
/// "@ID@" stands for the type of a primary key whose numbers are never given twice.
struct Migration {
  int version;
  std::string_view statements;
};

/// Every step there is, in order. A released step never changes; what changes gets a new one.
std::span<const Migration> all_migrations();

/// Applies the steps that `schema_migrations` does not list, inside the caller's transaction.
/// FAILED_PRECONDITION when the database has a step that this program does not know, because it was written
/// by a newer one.
Status migrate(soci::session& sql, std::span<const Migration> migrations);

}  // namespace towline::control
