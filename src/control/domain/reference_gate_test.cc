// The gate by the API's door; by Git's door it is in git_http/git_http_test.cc.
#include "control/domain/reference_gate.h"

#include <gmock/gmock.h>

#include "control/domain/contents.h"
#include "control/store/environment_table.h"
#include "control/store/namespace_table.h"
#include "control/store/user_table.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::HasSubstr;

class ReferenceGateTest : public PlaneTest {
 protected:
  ReferenceGateTest() {
    make_project("demo", root, R"(,"initialize_with_readme":true)");
    dev = add_user("dev");
    expect(201, "POST", "/projects/root%2Fdemo/members", root.token,
           R"({"user_id":)" + std::to_string(dev.id) + R"(,"access_level":30})");
  }
  int branch(const std::string& name, const std::string& ref, const std::string& token) {
    return call("POST", "/projects/root%2Fdemo/repository/branches", token,
                R"({"branch":")" + name + R"(","ref":")" + ref + "\"}")
        .status;
  }
  int remove_branch(const std::string& name, const std::string& token) {
    return call("DELETE", "/projects/root%2Fdemo/repository/branches/" + name, token).status;
  }
  http::Response commit(const std::string& project, const std::string& branch, const std::string& path,
                        const std::string& token, const std::string& more = "") {
    return call("POST", "/projects/" + project + "/repository/files/" + path, token,
                R"({"branch":")" + branch + R"(","commit_message":"m","content":"x")" + more + "}");
  }
  void protect(const std::string& name, int level = 40) {
    expect(201, "POST", "/projects/root%2Fdemo/protected_branches", root.token,
           R"({"name":")" + name + R"(","push_access_level":)" + std::to_string(level) + "}");
  }
  Project project() {
    return db->read([](soci::session& sql) { return *ProjectTable(sql).by_path("root/demo"); }).value();
  }
  std::int64_t token_id(const std::string& token) {
    return Accounts(core).authenticate(Secret(token))->token.id;
  }
  Status moves(const Actor& actor, const git::ReferenceChange& change) {
    return Contents(core).move_as(actor, project(), std::span(&change, 1), false).front();
  }
  git::ObjectId head(const std::string& branch) {
    return Contents(core).open(project())->branch_head(branch)->value_or(git::ObjectId{});
  }

  Person dev;
};

TEST_F(ReferenceGateTest, AProtectedBranchIsNeitherMadeNorDeletedByOneWhoMayNotPush) {
  EXPECT_EQ(branch("production", "main", root.token), 201);
  protect("production");
  protect("release/*");
  EXPECT_EQ(commit("root%2Fdemo", "topic", "evil", dev.token, R"(,"start_branch":"main")").status, 201);
  EXPECT_EQ(remove_branch("production", dev.token), 403);
  EXPECT_EQ(branch("release/1", "topic", dev.token), 403);
  EXPECT_EQ(branch("release/1", "topic", root.token), 201);
  EXPECT_EQ(remove_branch("release/1", root.token), 403) << "not while it is protected";
  EXPECT_EQ(commit("root%2Fdemo", "production", "a", dev.token).status, 403);
  EXPECT_EQ(remove_branch("main", root.token), 403);
  EXPECT_EQ(remove_branch("topic", dev.token), 204);
  EXPECT_EQ(remove_branch("topic", dev.token), 404);
}

TEST_F(ReferenceGateTest, HistoryOfAProtectedBranchIsKept) {
  const git::ObjectId first = head("main");
  ASSERT_EQ(commit("root%2Fdemo", "main", "a", root.token).status, 201);
  const git::ObjectId second = head("main");
  const Actor owner{.user_id = root.id};
  EXPECT_THAT(moves(owner, {"refs/heads/main", second, first}).message(), HasSubstr("force push"));
  EXPECT_THAT(moves(owner, {"refs/heads/main", second, {}}).message(), HasSubstr("cannot be deleted"));
  EXPECT_TRUE(moves(owner, {"refs/heads/topic", {}, second}).ok());
  EXPECT_TRUE(moves({.user_id = dev.id}, {"refs/heads/topic", second, first}).ok());
  EXPECT_TRUE(moves({.user_id = dev.id}, {"refs/heads/topic", first, {}}).ok());
}

TEST_F(ReferenceGateTest, WhoHasLostHisRightsMovesNothing) {
  const git::ReferenceChange change{"refs/heads/x", {}, head("main")};
  const auto denied = [&](const Actor& actor) {
    return moves(actor, change).code() == Code::kPermissionDenied;
  };
  const std::string reader = add_token(dev.id, {"read_repository"});
  const std::string writer = add_token(dev.id, {"write_repository"});
  EXPECT_TRUE(denied({.user_id = dev.id, .token_id = token_id(reader), .door = Actor::Door::kGit}));
  EXPECT_TRUE(denied({.user_id = dev.id, .token_id = token_id(writer)})) << "not by the API";
  EXPECT_TRUE(denied({.user_id = root.id, .token_id = token_id(writer), .door = Actor::Door::kGit}));
  EXPECT_TRUE(denied({.user_id = add_user("stranger").id}));
  const Actor push{.user_id = dev.id, .token_id = token_id(writer), .door = Actor::Door::kGit};
  EXPECT_TRUE(moves(push, change).ok());
  const git::ReferenceChange back{"refs/heads/x", head("main"), {}};
  ASSERT_TRUE(Accounts(core).revoke_token(push.token_id).ok());
  EXPECT_EQ(moves(push, back).code(), Code::kPermissionDenied);
  expect(204, "DELETE", "/projects/root%2Fdemo/members/" + std::to_string(dev.id), root.token);
  EXPECT_EQ(moves({.user_id = dev.id}, back).code(), Code::kPermissionDenied);
  ASSERT_TRUE(db->write([&](soci::session& sql) { UserTable(sql).set_state(root.id, "blocked"); }).ok());
  EXPECT_EQ(moves({.user_id = root.id}, back).code(), Code::kPermissionDenied);
}

TEST_F(ReferenceGateTest, OnlyBranchesAndTagsOfGoodNames) {
  const git::ObjectId id = head("main");
  const Actor owner{.user_id = root.id};
  const std::vector<std::string> names{"HEAD",
                                       "refs/replace/" + id.to_text(),
                                       "refs/notes/x",
                                       "refs/heads/",
                                       "refs/heads/" + id.to_text(),
                                       "refs/tags/" + std::string(64, 'A'),
                                       "refs/heads/" + std::string(256, 'a'),
                                       "refs/heads/a..b",
                                       "refs/heads/x.lock",
                                       "config"};
  for (const std::string& bad : names) {
    EXPECT_FALSE(moves(owner, {bad, {}, id}).ok()) << bad;
  }
  EXPECT_FALSE(moves(owner, {"refs/heads/x", {}, *git::ObjectId::parse(std::string(40, '1'))}).ok());
  EXPECT_TRUE(moves(owner, {"refs/tags/v1", {}, id}).ok());
  EXPECT_EQ(branch(id.to_text(), "main", root.token), 400);
}

TEST_F(ReferenceGateTest, ABranchCannotBeBesideAFolderOfItsName) {
  const Actor owner{.user_id = root.id};
  const git::ObjectId id = head("main");
  EXPECT_TRUE(moves(owner, {"refs/heads/a/b", {}, id}).ok());
  EXPECT_EQ(moves(owner, {"refs/heads/a", {}, id}).code(), Code::kAlreadyExists);
  EXPECT_EQ(moves(owner, {"refs/heads/a/b/c", {}, id}).code(), Code::kAlreadyExists);
  EXPECT_TRUE(moves(owner, {"refs/tags/a", {}, id}).ok());
  const std::vector<git::ReferenceChange> swap{{"refs/heads/a/b", id, {}}, {"refs/heads/a", {}, id}};
  for (const Status& each : Contents(core).move_as(owner, project(), swap, false))
    EXPECT_TRUE(each.ok()) << each.to_string();
}

TEST_F(ReferenceGateTest, TheFirstBranchBecomesTheDefaultOfOneWhoMayBeginIt) {
  for (const bool by_developer : {true, false}) {
    const std::string name = by_developer ? "one" : "two";
    make_project(name, root);
    expect(201, "POST", "/projects/root%2F" + name + "/members", root.token,
           R"({"user_id":)" + std::to_string(dev.id) + R"(,"access_level":30})");
    const std::string& token = by_developer ? dev.token : root.token;
    EXPECT_EQ(commit("root%2F" + name, "main", "a", dev.token).status, 403);
    EXPECT_EQ(commit("root%2F" + name, "trunk", "a", token).status, 201);
    const auto after = expect(200, "GET", "/projects/root%2F" + name, root.token);
    EXPECT_EQ(after.at("default_branch"), by_developer ? "main" : "trunk");
    EXPECT_EQ(call("GET", "/projects/root%2F" + name + "/protected_branches/trunk", root.token).status,
              by_developer ? 404 : 200);
  }
}

TEST_F(ReferenceGateTest, ADefaultBranchIsProtectedFromThenOn) {
  ASSERT_EQ(branch("next", "main", dev.token), 201);
  EXPECT_EQ(call("PUT", "/projects/root%2Fdemo", dev.token, R"({"default_branch":"next"})").status, 403);
  expect(400, "PUT", "/projects/root%2Fdemo", root.token, R"({"default_branch":"none","name":"other"})");
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fdemo", root.token).at("name"), "demo");
  expect(200, "PUT", "/projects/root%2Fdemo", root.token, R"({"default_branch":"next"})");
  EXPECT_EQ(commit("root%2Fdemo", "next", "a", dev.token).status, 403);
  EXPECT_EQ(remove_branch("next", dev.token), 403);
}

TEST_F(ReferenceGateTest, CommitsOfOneWhoMayNotPushLeaveNothing) {
  const auto before = git::StorageMeter::measure(repositories.root());
  EXPECT_EQ(commit("root%2Fdemo", "main", "a", dev.token).status, 403);
  EXPECT_EQ(git::StorageMeter::measure(repositories.root()), before);
}

class SmallLimitsTest : public ReferenceGateTest {
 protected:
  SmallLimitsTest() { repositories.limits = {.references = 3, .namespace_bytes = 200'000}; }
};

TEST_F(SmallLimitsTest, ARepositoryHasSoManyReferences) {
  EXPECT_EQ(branch("a", "main", root.token), 201);
  EXPECT_EQ(branch("b", "main", root.token), 201);
  EXPECT_EQ(branch("c", "main", root.token), 413);
  EXPECT_EQ(remove_branch("a", root.token), 204);
  EXPECT_EQ(branch("c", "main", root.token), 201);
}

TEST_F(SmallLimitsTest, ANamespaceHasSoMuchStorage) {
  expect(
      201, "POST", "/projects/root%2Fdemo/repository/commits", root.token,
      R"({"branch":"main","commit_message":"m","actions":[{"action":"create","file_path":"a","content":")" +
          std::string(150'000, 'y') + "\"}]}");
  const auto refused = call(
      "POST", "/projects/root%2Fdemo/repository/commits", root.token,
      R"({"branch":"main","commit_message":"m","actions":[{"action":"create","file_path":"b","content":")" +
          std::string(250'000, 'z') + "\"}]}");
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(message(refused), HasSubstr("--max-namespace-storage-mib"));
}

}  // namespace
}  // namespace towline::control
