#pragma once

#include <memory>
#include <string>

#include "control/store/database.h"
#include "control/test_support.h"

namespace soci {
class session;
}

namespace towline::control {

/// An empty database for one test: a file, or a schema of its own in the PostgreSQL that the environment
/// variable TOWLINE_TEST_DATABASE_URL names (tests/with_postgres sets it), dropped at the end.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  Database::Options options() const;
  bool postgres() const { return !schema_.empty(); }
  /// Every row of every table as text, of PostgreSQL.
  std::string dump() const;
  /// A connection beside the database under test.
  std::unique_ptr<soci::session> connect() const;

 private:
  TempFolder folder_;
  std::string schema_;
  std::string url_;
};

}  // namespace towline::control
