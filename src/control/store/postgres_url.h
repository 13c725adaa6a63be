#pragma once

#include <string>

#include "base/secret.h"
#include "base/status.h"

namespace towline::control {

/// Where a PostgreSQL database is.
struct PostgresAddress {
  Secret connection;  // for libpq, with our defaults; without spaces, which SOCI splits at
  std::string name;   // "PostgreSQL database towline at db.example.com:5432", for people
};

/// Reads postgresql://user:password@host:port/database?sslmode=... or libpq's keywords. The error never
/// repeats the text, because a password may stand anywhere in what is malformed.
Result<PostgresAddress> parse_postgres_url(const Secret& url);

}  // namespace towline::control
