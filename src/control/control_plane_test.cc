#include "control/control_plane.h"

#include <fstream>
#include <future>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include "control/store/database.h"
#include "control/test_database.h"
#include "control/test_support.h"
#include "io/loop.h"

namespace towline::control {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ControlPlaneTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<ControlPlane>> open(std::optional<Secret> password = {},
                                             std::optional<Secret> token = {}) {
    ControlPlaneOptions options;
    options.data_dir = folder.path() + "/new/data";
    if (database.postgres()) options.database_url = database.options().url;
    options.external_url = "https://towline.test/";
    options.root_password = std::move(password);
    options.root_token = std::move(token);
    options.log = log;
    options.clock = &clock;
    return ControlPlane::open(std::move(options));
  }
  // Whether the token is one of a user's: an agent that does not exist is refused for another reason.
  bool knows(ControlPlane& plane, const Secret& token) {
    std::promise<Code> code;
    plane.backend().access_by_token(loops.at(0), 1, token, [&](Result<Access> access) {
      code.set_value(access ? Code::kOk : access.error().code());
    });
    return code.get_future().get() == Code::kPermissionDenied;
  }

  // What lies on the disk, or in the tables of PostgreSQL.
  std::string stored() const {
    if (database.postgres()) return database.dump();
    std::string all;
    for (const char* name : {"/towline.db", "/towline.db-wal"}) {
      std::ifstream file(folder.path() + "/new/data" + name, std::ios::binary);
      all.append(std::istreambuf_iterator<char>(file), {});
    }
    return all;
  }

  TempFolder folder;
  TestDatabase database;
  SystemClock clock;
  std::vector<std::string> lines;
  Logger log = Logger::to_vector(&lines);
  io::LoopGroup loops{1, clock};
};

TEST_F(ControlPlaneTest, TheFirstStartMakesRootAndTellsOnce) {
  Secret token;
  {
    auto plane = open();
    ASSERT_TRUE(plane.has_value()) << plane.error().to_string();
    const auto& first = (*plane)->first_start();
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->username, "root");
    EXPECT_GE(first->password.reveal().size(), 32U);
    EXPECT_THAT(first->token.reveal(), StartsWith("glpat-"));
    token = first->token;
    EXPECT_TRUE(knows(**plane, token));
    EXPECT_FALSE(knows(**plane, Secret("glpat-other")));
  }
  auto again = open({}, Secret("glpat-ignored-now"));
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE((*again)->first_start().has_value());
  EXPECT_TRUE(knows(**again, token));
  EXPECT_FALSE(knows(**again, Secret("glpat-ignored-now")));
}

TEST_F(ControlPlaneTest, GivenSecretsAreUsedAndStoredAsHashesOnly) {
  auto plane = open(Secret("my-root-password"), Secret("glpat-my-own-root-token"));
  ASSERT_TRUE(plane.has_value());
  EXPECT_EQ((*plane)->first_start()->password.reveal(), "my-root-password");
  EXPECT_TRUE(knows(**plane, Secret("glpat-my-own-root-token")));
  plane->reset();
  EXPECT_THAT(stored(), HasSubstr("admin@example.com"));
  EXPECT_THAT(stored(), Not(HasSubstr("my-root-")));
  for (const std::string& line : lines) EXPECT_THAT(line, Not(HasSubstr("my-root-")));
}

TEST_F(ControlPlaneTest, AnInterruptedFirstStartIsMadeUpFor) {
  ASSERT_TRUE(open().has_value());
  {
    auto db = Database::open(database.postgres()
                                 ? database.options()
                                 : Database::Options{.path = folder.path() + "/new/data/towline.db"});
    ASSERT_TRUE((*db)->write([](auto& sql) { sql << "DELETE FROM settings"; }).ok());
  }
  auto plane = open();
  ASSERT_TRUE(plane.has_value()) << plane.error().to_string();
  ASSERT_TRUE((*plane)->first_start().has_value());
  EXPECT_TRUE(knows(**plane, (*plane)->first_start()->token));
}

TEST_F(ControlPlaneTest, NobodyElseMayLookIntoTheDataFolder) {
  ASSERT_TRUE(open().has_value());
  struct stat info {};
  ASSERT_EQ(::stat((folder.path() + "/new/data").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(ControlPlaneTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(folder.path() + "/new") << "a file";
  const auto plane = open();
  ASSERT_FALSE(plane.has_value());
  EXPECT_THAT(plane.error().message(), HasSubstr(folder.path() + "/new/data"));
}

TEST_F(ControlPlaneTest, AShortRootTokenIsRefused) {
  const auto plane = open({}, Secret("glpat-short"));
  ASSERT_FALSE(plane.has_value());
  EXPECT_THAT(plane.error().message(), ::testing::HasSubstr("fewer than 20 characters"));
}

}  // namespace
}  // namespace towline::control
