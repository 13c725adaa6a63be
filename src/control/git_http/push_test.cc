// Pushes by the git program, and who may make them.
#include <filesystem>

#include "base/files.h"
#include "control/git_http/hook.h"
#include "control/git_http/push_dialogue.h"
#include "control/git_http/test_server.h"

namespace towline::control::git_http {
namespace {

using ::testing::AllOf;
using ::testing::Not;

class PushTest : public GitHttpTest {
 protected:
  PushTest() = default;
  explicit PushTest(const std::function<void(ControlPlaneOptions&)>& change) : GitHttpTest(change) {}
  std::string hooks() { return folder.path() + "/data/hooks/"; }
  std::string branches() { return sh("git ls-remote " + url("root/demo")); }
  std::string push_as(const std::string& token, const std::string& what) {
    return sh("cd work && git push " + url("root/demo", token) + " " + what);
  }
};

TEST(Hooks, ARelativeFolderIsRefused) {
  EXPECT_THAT(write_hooks("data/hooks").message(), HasSubstr("absolute"));
}

class RelativeFolderTest : public PushTest {
 protected:
  RelativeFolderTest()
      : PushTest([](ControlPlaneOptions& options) {
          options.data_dir = std::filesystem::relative(options.data_dir).string();
        }) {}
};

TEST_F(RelativeFolderTest, ProtectedBranchesAreKept) {
  make_project();
  push_something();
  const std::string dev = make_user("dev", 30, "write_repository");
  ASSERT_THAT(sh("cd work && git commit -q --allow-empty -m evil"), HasSubstr("[0]"));
  EXPECT_THAT(push_as(dev, "main"), HasSubstr("not allowed to push into the protected branch"));
  EXPECT_THAT(push_as(dev, "-f main"), HasSubstr("not allowed to push"));
  EXPECT_THAT(push_as(dev, "main:topic"), HasSubstr("[0]"));
}

TEST_F(PushTest, WithoutItsHooksNothingMoves) {
  make_project();
  push_something();
  ASSERT_TRUE(std::filesystem::remove(hooks() + "proc-receive"));
  EXPECT_THAT(push_as("glpat-root-token-of-tests", "main:one"), HasSubstr("proc-receive"));
  ASSERT_TRUE(std::filesystem::remove(hooks() + "pre-receive"));
  EXPECT_THAT(push_as("glpat-root-token-of-tests", "main:one"), Not(HasSubstr("[0]")));
  for (const char* program :
       {"#!/bin/sh\nexit 0\n", "#!/bin/sh\ncat\n", "#!/bin/sh\necho x >&3; cat <&3\n"}) {
    ASSERT_TRUE(replace_file(hooks() + "proc-receive", program, 0700).ok());
    EXPECT_THAT(push_as("glpat-root-token-of-tests", "main:one"), Not(HasSubstr("[0]"))) << program;
  }
  EXPECT_THAT(branches(), Not(HasSubstr("one")));
}

TEST_F(PushTest, OnlyBranchesAndTagsArePushed) {
  make_project();
  push_something();
  const std::string id = head_of_main();
  const std::string dev = make_user("dev", 30, "write_repository");
  const auto refused = [&](const std::string& what) {
    EXPECT_THAT(push_as(dev, what), Not(HasSubstr("[0]")));
  };
  refused("HEAD:refs/replace/" + id);
  refused("HEAD:refs/notes/x");
  refused("HEAD:refs/heads/" + id);
  refused("HEAD:refs/tags/" + id);
  refused("HEAD^{tree}:refs/heads/tree");
  EXPECT_THAT(push_as(dev, "HEAD:refs/tags/v1 HEAD:refs/heads/topic"), HasSubstr("[0]"));
  EXPECT_THAT(push_as(dev, "HEAD:refs/heads/topic/x"), HasSubstr("cannot be beside"));
  EXPECT_THAT(push_as(dev, ":refs/tags/v1 :topic HEAD:refs/heads/topic/x"), HasSubstr("[0]"));
  EXPECT_THAT(branches(), AllOf(Not(HasSubstr(id + "\trefs/heads/" + id)), HasSubstr("refs/heads/topic/x")));
}

TEST_F(PushTest, ReplacingObjectsDoesNotHideAForcedPush) {
  make_project();
  push_something();
  ASSERT_THAT(sh("cd work && git commit -q --allow-empty -m two && git push -q origin main && "
                 "git checkout -q --orphan other && git commit -q --allow-empty -m other"),
              HasSubstr("[0]"));
  const std::string repository = sh("ls -d data/repositories/@hashed/*/*/*.git");
  ASSERT_THAT(sh("cd work && git push -q origin other:topic && git -C ../" +
                 repository.substr(0, repository.find('\n')) + " -c safe.directory='*' replace topic main"),
              HasSubstr("[0]"));
  EXPECT_THAT(sh("cd work && git push --force origin other:main"), HasSubstr("not allowed to force push"));
}

TEST_F(PushTest, WhatIsRefusedLeavesNoObjects) {
  make_project();
  push_something();
  const std::string dev = make_user("dev", 30, "write_repository");
  const auto count = [&] { return sh("find data/repositories -path '*objects*' -type f | wc -l"); };
  const std::string before = count();
  ASSERT_THAT(sh("cd work && head -c 300000 /dev/urandom > big && git add big && git commit -qm big"),
              HasSubstr("[0]"));
  EXPECT_THAT(push_as(dev, "main"), HasSubstr("not allowed to push"));
  EXPECT_EQ(count(), before);
}

TEST_F(PushTest, AnAtomicPushIsAllOrNothing) {
  make_project();
  push_something();
  const std::string dev = make_user("dev", 30, "write_repository");
  ASSERT_THAT(sh("cd work && git commit -q --allow-empty -m x"), HasSubstr("[0]"));
  EXPECT_THAT(push_as(dev, "--atomic main main:one"), Not(HasSubstr("[0]")));
  EXPECT_THAT(branches(), Not(HasSubstr("one")));
  EXPECT_THAT(push_as(dev, "--atomic main:two main:one"), HasSubstr("[0]"));
  EXPECT_THAT(branches(), AllOf(HasSubstr("one"), HasSubstr("two")));
}

TEST_F(PushTest, ManyReferencesAreQuickAndTooManyRefused) {
  make_project();
  push_something();
  ASSERT_THAT(
      sh("cd work && for i in $(seq 1000); do echo \"create refs/tags/t$i HEAD\"; done | git update-ref "
         "--stdin && git push -q origin --tags"),
      HasSubstr("[0]"));
  EXPECT_THAT(sh("git ls-remote " + url("root/demo") + " | wc -l"), HasSubstr("1002\n"));
  ASSERT_THAT(
      sh("cd work && for i in $(seq 1001); do echo \"create refs/heads/b$i HEAD\"; done | git update-ref "
         "--stdin"),
      HasSubstr("[0]"));
  EXPECT_THAT(sh("cd work && git push origin --all"),
              HasSubstr("the limit is " + std::to_string(kMaxCommands)));
}

TEST_F(PushTest, IsJudgedWhenItMovesAndNotWhenItBegan) {
  make_project();
  push_something();
  const std::string id = head_of_main();
  const std::string dev = make_user("dev", 30, "write_repository");
  const int fair = begin_push(dev);
  send(fair, chunk(list_of("fair", id)));
  send(fair, chunk(empty_pack()) + "0\r\n\r\n");
  EXPECT_THAT(read_all(fair), AllOf(HasSubstr("200 OK"), HasSubstr("ok refs/heads/fair")));
  const int fd = begin_push(dev);
  send(fd, chunk(list_of("late", id)));
  const auto members = json(call("GET", "/projects/root%2Fdemo/members", ""));
  for (const auto& member : members.as_array()) {
    if (member.at("username") == "dev") {
      call("DELETE", "/projects/root%2Fdemo/members/" + std::to_string(member.at("id").as_int64()), "");
    }
  }
  send(fd, chunk(empty_pack()) + "0\r\n\r\n");
  EXPECT_THAT(read_all(fd), HasSubstr("ng refs/heads/late pre-receive hook declined"));
  EXPECT_THAT(branches(), AllOf(HasSubstr("fair"), Not(HasSubstr("late"))));
}

TEST_F(PushTest, ADeveloperDoesNotChooseTheDefaultBranch) {
  make_project();
  const std::string dev = make_user("dev", 30, "write_repository");
  ASSERT_THAT(sh("git init -q -b trunk work && cd work && git commit -q --allow-empty -m one"),
              HasSubstr("[0]"));
  EXPECT_THAT(push_as(dev, "trunk:main"), HasSubstr("not allowed to push"));
  EXPECT_THAT(push_as(dev, "trunk"), HasSubstr("[0]"));
  EXPECT_EQ(json(call("GET", "/projects/root%2Fdemo", "")).at("default_branch"), "main");
}

TEST_F(PushTest, CompressedRequestsAreUnpacked) {
  make_project();
  push_something();
  const std::string request =
      "curl -s --data-binary @- -H 'Content-Encoding: gzip' -H 'Content-Type: "
      "application/x-git-receive-pack-request' " +
      url("root/demo") + "/git-receive-pack";
  std::string list;
  for (const char c : list_of("packed", head_of_main()) + empty_pack()) {
    char octal[5];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned char>(c));
    list += octal;
  }
  EXPECT_THAT(sh("printf '" + list + "' | gzip | " + request), HasSubstr("ok refs/heads/packed"));
}

class SmallPushLimitsTest : public PushTest {
 protected:
  SmallPushLimitsTest()
      : PushTest([](ControlPlaneOptions& options) {
          options.limits = {.push_bytes = 400'000, .namespace_bytes = 600'000};
        }) {}
};

TEST_F(SmallPushLimitsTest, PushesAndNamespacesHaveASize) {
  make_project();
  push_something();
  const std::string add = "cd work && head -c 300000 /dev/urandom > ";
  EXPECT_THAT(sh(add + "a && git add a && git commit -qm a && git push -q origin main"), HasSubstr("[0]"));
  EXPECT_THAT(sh(add + "b && git add b && git commit -qm b && git push origin main"),
              HasSubstr("--max-namespace-storage-mib"));
  EXPECT_THAT(sh("cd work && head -c 500000 /dev/urandom > c && git add c && git commit -qm c && "
                 "git push origin main"),
              Not(HasSubstr("[0]")));
}

}  // namespace
}  // namespace towline::control::git_http
