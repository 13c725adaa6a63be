#include <poll.h>
#include <thread>

#include "base/encoding.h"
#include "control/git_http/cgi.h"
#include "control/git_http/child.h"
#include "control/git_http/gate.h"
#include "control/git_http/test_server.h"

namespace towline::control::git_http {
namespace {

using ::testing::AllOf;
using ::testing::Not;

TEST(CgiHead, IsTakenApartHoweverItIsCut) {
  const std::string text = "Status: 404 Not Found\r\nContent-Type: a/b\nX: y\r\n\r\nbody";
  for (std::size_t cut = 1; cut < text.size() - 4; ++cut) {
    CgiHead head;
    const auto first = head.take(text.substr(0, cut));
    ASSERT_TRUE(first.has_value());
    const auto second = head.take(text.substr(cut));
    ASSERT_TRUE(second.has_value());
    ASSERT_TRUE(head.complete());
    EXPECT_EQ(*first + *second, text.size() - 4);
    EXPECT_EQ(head.head().status, 404);
    EXPECT_EQ(head.head().headers.get("content-type"), "a/b");
    EXPECT_FALSE(head.head().headers.has("status"));
  }
}

TEST(CgiHead, NonsenseIsRefused) {
  for (const std::string text : {"no colon\r\n\r\n", "Status: x\n\n", "Content-Length: x\n\n", ": x\n\n"}) {
    EXPECT_FALSE(CgiHead().take(text).has_value()) << text;
  }
  EXPECT_FALSE(CgiHead().take(std::string(1 << 20, 'a')).has_value());
}

struct OperationCase {
  const char* method;
  const char* target;
  const char* expected;  // "path endpoint writes", or empty
};
class OperationTest : public ::testing::TestWithParam<OperationCase> {};

TEST_P(OperationTest, IsReadFromTheTarget) {
  const auto operation = parse_operation({.method = GetParam().method, .target = GetParam().target});
  std::string text;
  if (operation) {
    text = operation->project_path + " " + operation->endpoint + (operation->writes ? " writes" : "");
  }
  EXPECT_EQ(text, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, OperationTest,
    ::testing::Values(
        OperationCase{"GET", "/g/s/p.git/info/refs?service=git-upload-pack", "g/s/p /info/refs"},
        OperationCase{"GET", "/g/p.git/info/refs?service=git-receive-pack", "g/p /info/refs writes"},
        OperationCase{"GET", "/g/p.git/info/refs", ""},
        OperationCase{"GET", "/g/p.git/info/refs?service=git-evil", ""},
        OperationCase{"POST", "/g/p.git/git-upload-pack", "g/p /git-upload-pack"},
        OperationCase{"POST", "/g/p%2Egit.git/git-receive-pack", "g/p.git /git-receive-pack writes"},
        OperationCase{"GET", "/g/p.git/git-upload-pack", ""}, OperationCase{"GET", "/g/p.git/HEAD", ""},
        OperationCase{"GET", "/g/p.git/objects/info/packs", ""},
        OperationCase{"POST", "/.git/git-upload-pack", ""},
        OperationCase{"POST", "/g/p.git/../../x/git-upload-pack", ""},
        OperationCase{"POST", "/g/p%zz.git/git-upload-pack", ""}));

TEST(Child, IsKilledWithItsOwner) {
  auto child = Child::spawn({"cat"}, {"PATH=" + std::string(std::getenv("PATH"))});
  ASSERT_TRUE(child.has_value()) << child.error().to_string();
}

TEST(Child, ThatDoesNotExistIsAnError) {
  const auto child = Child::spawn({"towline-no-such-program"}, {});
  ASSERT_FALSE(child.has_value());
  EXPECT_THAT(child.error().message(), HasSubstr("towline-no-such-program"));
}

TEST_F(GitHttpTest, ClonesFetchesAndPushes) {
  make_project();
  push_something();
  {
    // The push has not returned before its event was raised.
    const std::lock_guard lock(mutex);
    EXPECT_THAT(refs, ::testing::ElementsAre("refs/heads/main"));
  }
  EXPECT_THAT(call("GET", "/projects/root%2Fdemo/repository/files/a/raw", ""), HasSubstr("hi\n"));
  EXPECT_THAT(sh("git clone -q " + url("root/demo") + " other && cat other/a"), StartsWith("hi\n[0]"));
  const std::string body = R"({"branch":"main","commit_message":"m","content":"two"})";
  EXPECT_THAT(call("PUT", "/projects/root%2Fdemo/repository/files/a", body), HasSubstr(" 200 "));
  EXPECT_THAT(sh("cd other && git pull -q && cat a"), StartsWith("two[0]"));
  // What was committed meanwhile is not overwritten, unless one insists.
  EXPECT_THAT(sh("cd work && echo x > b && git add b && git commit -qm two && git push origin main"),
              HasSubstr("rejected"));
  EXPECT_THAT(sh("cd work && git push -q --force origin main"), HasSubstr("not allowed to force push"));
  EXPECT_THAT(sh("cd work && git push -q origin main:topic && git commit -q --amend -m three && "
                 "git push -q --force origin main:topic"),
              HasSubstr("[0]"));
  EXPECT_THAT(sh("git -c protocol.version=2 ls-remote " + url("ROOT/Demo")), HasSubstr("refs/heads/main"));
}

TEST_F(GitHttpTest, ProtectedBranchesAreKept) {
  make_project();
  push_something();
  const std::string rule = R"({"name":"release/*","push_access_level":30,"allow_force_push":true})";
  EXPECT_THAT(call("POST", "/projects/root%2Fdemo/protected_branches", rule), HasSubstr(" 201 "));
  EXPECT_THAT(sh("cd work && git push -q origin main:release/1 && git commit -q --amend -m again && "
                 "git push -q --force origin main:release/1"),
              HasSubstr("[0]"));
  const std::string kept = R"({"name":"kept"})";
  EXPECT_THAT(call("POST", "/projects/root%2Fdemo/protected_branches", kept), HasSubstr(" 201 "));
  EXPECT_THAT(sh("cd work && git push -q origin main:kept"), HasSubstr("[0]"));
  EXPECT_THAT(sh("cd work && git push -q origin :kept"), HasSubstr("cannot be deleted"));
  const std::string nobody = R"({"name":"frozen","push_access_level":0})";
  EXPECT_THAT(call("POST", "/projects/root%2Fdemo/protected_branches", nobody), HasSubstr(" 201 "));
  EXPECT_THAT(sh("cd work && git push -q origin main:frozen"), HasSubstr("not allowed to push"));
  // One push of several branches: what is allowed goes through, what is not is said.
  EXPECT_THAT(sh("cd work && git push origin main:frozen main:free"),
              AllOf(HasSubstr("main -> free"), HasSubstr("remote rejected] main -> frozen")));
}

TEST_F(GitHttpTest, AFirstPushOfAnotherBranchMakesItTheDefault) {
  make_project();
  ASSERT_THAT(sh("git init -q -b trunk work && cd work && echo hi > a && git add a && git commit -qm one && "
                 "git push -q " +
                 url("root/demo") + " trunk"),
              HasSubstr("[0]"));
  EXPECT_EQ(json(call("GET", "/projects/root%2Fdemo", "")).at("default_branch"), "trunk");
  EXPECT_THAT(call("GET", "/projects/root%2Fdemo/protected_branches/trunk", ""), HasSubstr(" 200 "));
  EXPECT_THAT(sh("git clone -q " + url("root/demo") + " other && cat other/a"), StartsWith("hi\n[0]"));
}

TEST_F(GitHttpTest, LargePushesAndClonesStream) {
  make_project();
  push_something();
  // Random bytes do not compress; the post buffer makes git send chunks.
  ASSERT_THAT(sh("cd work && head -c 24000000 /dev/urandom > big && git add big && git commit -qm big && "
                 "git -c http.postBuffer=65536 push -q origin main"),
              HasSubstr("[0]"));
  EXPECT_THAT(sh("git clone -q " + url("root/demo") + " other && cmp work/big other/big"), StartsWith("[0]"));
}

TEST_F(GitHttpTest, RolesAndScopesDecide) {
  make_project();
  push_something();
  const auto clone = [&](const std::string& token) {
    return sh("rm -rf c && git clone -q " + url("root/demo", token) + " c");
  };
  const auto push = [&](const std::string& token) {
    return sh("cd work && git commit -q --allow-empty -m x && git push -q " + url("root/demo", token) +
              " main");
  };
  EXPECT_THAT(clone("glpat-wrong"), HasSubstr("Authentication failed"));
  EXPECT_THAT(sh("git clone -q " + base("git") + "/root/demo.git c"), HasSubstr("[128]"));
  EXPECT_THAT(clone(make_user("stranger", 0, "api")), HasSubstr("not found"));
  EXPECT_THAT(clone(make_user("guest", 10, "api")), HasSubstr("reporter role"));
  const std::string reporter = make_user("reporter", 20, "write_repository");
  EXPECT_THAT(clone(reporter), HasSubstr("[0]"));
  EXPECT_THAT(push(reporter), HasSubstr("developer role"));
  const std::string reader = make_user("reader", 30, "read_repository");
  EXPECT_THAT(clone(reader), HasSubstr("[0]"));
  EXPECT_THAT(push(reader), HasSubstr("write_repository"));
  const std::string writer = make_user("writer", 30, "write_repository");
  EXPECT_THAT(push(writer), HasSubstr("not allowed to push into the protected branch"));
  EXPECT_THAT(sh("cd work && git push -q " + url("root/demo", writer) + " main:topic"), HasSubstr("[0]"));
  EXPECT_THAT(push(make_user("maintainer", 40, "write_repository")), HasSubstr("[0]"));
  EXPECT_THAT(clone(make_user("proxy", 30, "k8s_proxy")), HasSubstr("read_repository"));
}

TEST_F(GitHttpTest, PublicProjectsNeedNoToken) {
  make_project(R"(,"visibility":"public")");
  push_something();
  const std::string anonymous = "http://127.0.0.1:" + std::to_string(host->port()) + "/root/demo.git";
  EXPECT_THAT(sh("git clone -q " + anonymous + " c && cat c/a"), StartsWith("hi\n[0]"));
  EXPECT_THAT(sh("cd c && git commit -q --allow-empty -m x && git push -q"), Not(HasSubstr("[0]")));
}

TEST_F(GitHttpTest, SimultaneousPushesAndCommitsLoseNothing) {
  make_project();
  push_something();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const std::string name = "w" + std::to_string(t);
      const std::string out =
          sh("git clone -q " + url("root/demo") + " " + name + " && cd " + name + " && echo x > " + name +
             " && git add . && git commit -qm x && for i in $(seq 60); do git pull -q --rebase "
             "&& git push -q && break; done; git status -sb");
      EXPECT_THAT(out, Not(HasSubstr("ahead"))) << out;
    });
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) {
        const std::string path =
            "/projects/root%2Fdemo/repository/files/f" + std::to_string(t) + std::to_string(i);
        EXPECT_THAT(call("POST", path, R"({"branch":"main","commit_message":"m","content":"x"})"),
                    HasSubstr(" 201 "));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const std::string list = sh("git clone -q " + url("root/demo") + " all && ls all | wc -l");
  EXPECT_THAT(list, HasSubstr("16\n"));
}

TEST_F(GitHttpTest, AClientThatGoesAwayTakesItsChildWithIt) {
  make_project();
  // More than may run at once, so that a child left over would be missed in the end.
  for (int i = 0; i < 40; ++i) {
    const int fd = begin_push();
    send(fd, chunk(list_of("x", std::string(40, '1')) + "PACK"));
    ::close(fd);
  }
  push_something();
}

TEST_F(GitHttpTest, TheResponseBeginsWhenTheRequestHasEnded) {
  make_project();
  const int fd = begin_push();
  send(fd, "2\r\n00\r\n");
  // git http-backend has written its head within milliseconds.
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 500), 0) << read_some(fd);
  send(fd, "2\r\n00\r\n0\r\n\r\n");
  EXPECT_THAT(read_some(fd), StartsWith("HTTP/1.1 200"));
  ::close(fd);
}

TEST_F(GitHttpTest, TheServerEndsWhileAPushIsUnderWay) {
  make_project();
  const int fd = begin_push();
  loops.join();
  host.reset();
  plane.reset();
  ::close(fd);
}

}  // namespace
}  // namespace towline::control::git_http
