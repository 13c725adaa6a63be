#include "cli/settings.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

TEST(ServerUrl, IsKeptWithoutWhatDoesNotMatter) {
  EXPECT_EQ(*server_url("https://Git.Example.com/"), "https://git.example.com");
  EXPECT_EQ(*server_url("https://localhost:8443"), "https://localhost:8443");
  EXPECT_EQ(*server_url("http://[::1]:8080/base/"), "http://[::1]:8080/base");
}

TEST(ServerUrl, IsRefusedWithTheReason) {
  const auto reason = [](const char* text) {
    const auto url = server_url(text);
    return url ? *url : url.error().message();
  };
  EXPECT_THAT(reason("example.com:8443"), HasSubstr("https://"));
  EXPECT_THAT(reason("ftp://example.com"), HasSubstr("must begin with"));
  EXPECT_THAT(reason("https://me:secret@example.com"),
              testing::AllOf(HasSubstr("must not hold a user name"), Not(HasSubstr("secret"))));
  EXPECT_THAT(reason("https://example.com?a=b"), HasSubstr("query"));
}

class Settings : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "settingsXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  Environment with(std::map<std::string, std::string> variables) const {
    variables["XDG_CONFIG_HOME"] = folder_;
    return Environment(std::move(variables));
  }
  SettingsFile file() const { return *SettingsFile::of(with({})); }
  fs::path folder_;
};

TEST_F(Settings, AreReadAsTheyWereWrittenAndByTheOwnerOnly) {
  ASSERT_TRUE(file().save({"https://a", Secret("glpat-\"x\\: #"), "/ca file.pem"}).ok());
  const auto login = *file().load();
  ASSERT_TRUE(login.has_value());
  EXPECT_EQ(login->url, "https://a");
  EXPECT_EQ(login->token.reveal(), "glpat-\"x\\: #");
  EXPECT_EQ(login->ca_file, "/ca file.pem");
  struct stat info {};
  ASSERT_EQ(::stat(file().path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(file().path().parent_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(Settings, AreNothingWithoutAFile) {
  EXPECT_FALSE(file().load()->has_value());
  EXPECT_FALSE(*file().remove());
  ASSERT_TRUE(file().save({"https://a", Secret("t"), ""}).ok());
  EXPECT_TRUE(*file().remove());
  EXPECT_FALSE(file().load()->has_value());
}

TEST_F(Settings, SayWhereTheirFileIsBroken) {
  ASSERT_TRUE(file().save({"https://a", Secret("t"), ""}).ok());
  std::ofstream(file().path()) << "url: https://a\ntoken: [\n";
  EXPECT_THAT(file().load().error().message(), testing::AllOf(HasSubstr("config.yaml"), HasSubstr("line ")));
}

TEST_F(Settings, TheEnvironmentCountsMore) {
  ASSERT_TRUE(file().save({"https://a", Secret("of-a"), "/a.pem"}).ok());
  EXPECT_EQ(current_login(with({}))->token.reveal(), "of-a");
  const auto login = current_login(with({{"TOWLINE_TOKEN", "other"}, {"TOWLINE_CA", "/b.pem"}}));
  EXPECT_EQ(login->url, "https://a");
  EXPECT_EQ(login->token.reveal(), "other");
  EXPECT_EQ(login->ca_file, "/b.pem");
}

TEST_F(Settings, AServersTokenNeverGoesToAnother) {
  ASSERT_TRUE(file().save({"https://a", Secret("of-a"), "/a.pem"}).ok());
  EXPECT_EQ(current_login(with({{"TOWLINE_URL", "https://a/"}}))->token.reveal(), "of-a");
  const auto login = current_login(with({{"TOWLINE_URL", "https://b"}}));
  ASSERT_FALSE(login.has_value());
  EXPECT_EQ(login.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(login.error().message(), HasSubstr("https://b"));
  EXPECT_EQ(current_login(with({{"TOWLINE_URL", "https://b"}, {"TOWLINE_TOKEN", "of-b"}}))->ca_file, "");
}

TEST_F(Settings, WithoutALoginItIsSaidHowToGetOne) {
  const auto login = current_login(with({}));
  EXPECT_EQ(login.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(login.error().message(), HasSubstr("towline login"));
}

TEST(Environment, FoldersFollowXdg) {
  EXPECT_EQ(*Environment(Environment::Variables{{"HOME", "/h"}}).config_folder(), "/h/.config/towline");
  EXPECT_EQ(*Environment(Environment::Variables{{"HOME", "/h"}}).cache_folder(), "/h/.cache/towline");
  EXPECT_EQ(*Environment(Environment::Variables{{"HOME", "/h"}, {"XDG_CACHE_HOME", "/c"}}).cache_folder(),
            "/c/towline");
  EXPECT_EQ(*Environment(Environment::Variables{{"HOME", "/h"}, {"XDG_CACHE_HOME", "c"}}).cache_folder(),
            "/h/.cache/towline");
  EXPECT_FALSE(Environment(Environment::Variables{}).config_folder());
}

}  // namespace
}  // namespace towline::cli
