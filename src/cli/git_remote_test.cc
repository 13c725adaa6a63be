#include "cli/git_remote.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string project(const std::string& remote, const std::string& server = "https://git.example.com:8443") {
  const auto path = project_of_remote(remote, server);
  return path ? *path : "refused: " + path.error().message();
}

TEST(GitRemote, TellsTheProjectOfAUrl) {
  EXPECT_EQ(project("https://git.example.com:8443/group/sub/name.git"), "group/sub/name");
  EXPECT_EQ(project("https://me:secret@Git.Example.com:8443/group/name"), "group/name");
  EXPECT_EQ(project("https://git.example.com:8443/group/name.git/"), "group/name");
  EXPECT_EQ(project("http://git.example.com:8443/group/na%6De.git"), "group/name");
  EXPECT_EQ(project("https://git.example.com/a/b.git", "https://git.example.com"), "a/b");
  EXPECT_EQ(project("https://git.example.com:443/a/b.git", "https://git.example.com"), "a/b");
  EXPECT_EQ(project("https://git.example.com/base/a/b.git", "https://git.example.com/base"), "a/b");
}

TEST(GitRemote, TellsTheProjectOfAnSshAddress) {
  EXPECT_EQ(project("git@git.example.com:group/name.git"), "group/name");
  EXPECT_EQ(project("git.example.com:/group/name.git"), "group/name");
  EXPECT_EQ(project("ssh://git@git.example.com:2222/group/name.git"), "group/name");
  EXPECT_EQ(project("ssh://git@git.example.com/group/name"), "group/name");
}

TEST(GitRemote, IsRefusedWhenItIsElsewhere) {
  EXPECT_THAT(project("https://github.com/group/name.git"),
              AllOf(HasSubstr("https://github.com/group/name"), HasSubstr("-R")));
  EXPECT_THAT(project("https://git.example.com/group/name.git"), HasSubstr("not at the server"));
  EXPECT_THAT(project("git@github.com:group/name.git"), HasSubstr("not at the server"));
  EXPECT_THAT(project("https://git.example.com/other/a/b", "https://git.example.com/base"),
              HasSubstr("refused"));
  EXPECT_THAT(project("/srv/git/name.git"), HasSubstr("-R"));
  EXPECT_THAT(project("file:///srv/git/name.git"), HasSubstr("-R"));
}

TEST(GitRemote, NeverShowsThePasswordInIt) {
  EXPECT_THAT(project("https://me:secret@github.com/a/b.git"),
              AllOf(HasSubstr("github.com"), Not(HasSubstr("secret"))));
}

TEST(ProjectPath, TakesSlashesAroundItAway) {
  EXPECT_EQ(*project_path("/group/name/"), "group/name");
  EXPECT_THAT(project_path("name").error().message(), HasSubstr("group/name"));
  EXPECT_FALSE(project_path("a//b"));
  EXPECT_FALSE(project_path(""));
}

}  // namespace
}  // namespace towline::cli
