#include "control/test_database.h"

#include <atomic>
#include <cstdlib>
#include <unistd.h>

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace towline::control {
namespace {

const char* server() { return std::getenv("TOWLINE_TEST_DATABASE_URL"); }

std::string new_schema() {
  static std::atomic<int> made{0};
  return "test_" + std::to_string(::getpid()) + "_" + std::to_string(++made);
}

}  // namespace

TestDatabase::TestDatabase() {
  if (server() == nullptr) return;
  schema_ = new_schema();
  soci::session(soci::postgresql, server()) << "CREATE SCHEMA " + schema_;
  url_ = server();
  url_ += url_.find('?') == std::string::npos ? "?" : "&";
  url_ += "options=-csearch_path%3D" + schema_ + "&application_name=" + schema_;
}

TestDatabase::~TestDatabase() {
  if (!postgres()) return;
  soci::session sql(soci::postgresql, server());
  sql << "SET client_min_messages = warning";
  sql << "DROP SCHEMA " + schema_ + " CASCADE";
}

Database::Options TestDatabase::options() const {
  if (postgres()) return {.url = Secret(url_), .connections = 6};
  return {.path = folder_.path() + "/towline.db"};
}

std::unique_ptr<soci::session> TestDatabase::connect() const {
  if (postgres()) return std::make_unique<soci::session>(soci::postgresql, url_);
  auto sql = std::make_unique<soci::session>(soci::sqlite3, options().path);
  *sql << "PRAGMA foreign_keys = ON";
  return sql;
}

std::string TestDatabase::dump() const {
  soci::session sql(soci::postgresql, url_);
  const soci::rowset<std::string> tables =
      (sql.prepare << "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()");
  std::string all;
  for (const std::string& table : tables) {
    std::string rows;
    sql << "SELECT COALESCE(string_agg(t::text, chr(10)), '') FROM " + table + " t", soci::into(rows);
    all += rows + "\n";
  }
  return all;
}

}  // namespace towline::control
