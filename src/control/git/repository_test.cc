#include "control/git/repository.h"

#include <cstdlib>
#include <ostream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/git/repository_store.h"
#include "control/test_support.h"

namespace towline::control::git {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Change::Kind;

class RepositoryTest : public ::testing::Test {
 protected:
  Repository fresh() { return store.create(1, "main").value(); }
  static CommitRequest request(std::vector<Change> changes, std::string branch = "main") {
    const Signature ada{"Ada", "ada@example.com", 1'700'000'000'000};
    return {.branch = std::move(branch),
            .message = "change",
            .author = ada,
            .committer = ada,
            .changes = std::move(changes)};
  }
  static Change create(std::string path, std::string content = "x") {
    return {.kind = Kind::kCreate, .path = std::move(path), .content = std::move(content)};
  }
  static std::vector<std::string> paths(const Repository& repository) {
    std::vector<std::string> all;
    const auto entries = repository.tree("main", "", true);
    for (const TreeEntry& entry : *entries) all.push_back(entry.path);
    return all;
  }

  TempFolder folder;
  RepositoryStore store{folder.path()};
};

TEST_F(RepositoryTest, TheFirstCommitMakesTheBranch) {
  Repository repository = fresh();
  EXPECT_EQ(repository.file("main", "a", 10).error().code(), Code::kNotFound);
  const auto commit = repository.apply(request({create("a/b/c.txt", "hello")}));
  ASSERT_TRUE(commit.has_value()) << commit.error().to_string();
  EXPECT_TRUE(commit->parents.empty());
  EXPECT_EQ(repository.resolve("HEAD").value(), commit->id);
  EXPECT_EQ(repository.file("HEAD", "a/b/c.txt", 10)->content, "hello");
  EXPECT_EQ(repository.file(commit->id.substr(0, 10), "a/b/c.txt", 10)->content, "hello");
  EXPECT_EQ(repository.file("main", "a/b/c.txt", 4).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(repository.file("main", "a/b", 10).error().code(), Code::kNotFound);
}

TEST_F(RepositoryTest, SeveralChangesMakeOneCommit) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("keep"), create("old/name", "text"), create("gone/one")})));
  const auto commit = repository.apply(request({
      {.kind = Kind::kUpdate, .path = "keep", .content = "new"},
      {.kind = Kind::kMove, .path = "new/name", .previous_path = "old/name"},
      {.kind = Kind::kDelete, .path = "gone/one"},
  }));
  ASSERT_TRUE(commit.has_value()) << commit.error().to_string();
  EXPECT_THAT(paths(repository), ElementsAre("keep", "new", "new/name"));
  EXPECT_EQ(repository.file("main", "new/name", 10)->content, "text");
  EXPECT_EQ(repository.file("main", "keep", 10)->content, "new");
}

TEST_F(RepositoryTest, AFolderTakesThePlaceOfADeletedFileAndTheOtherWayRound) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("a")})));
  ASSERT_TRUE(repository.apply(request({{.kind = Kind::kDelete, .path = "a"}, create("a/b")})));
  EXPECT_THAT(paths(repository), ElementsAre("a", "a/b"));
  ASSERT_TRUE(repository.apply(request({{.kind = Kind::kDelete, .path = "a/b"}, create("a")})));
  EXPECT_THAT(paths(repository), ElementsAre("a"));
}

struct RefusedCase {
  const char* name;
  Change change;
  const char* message;
};
void PrintTo(const RefusedCase& each, std::ostream* to) { *to << each.name; }
class RefusedTest : public RepositoryTest, public ::testing::WithParamInterface<RefusedCase> {};

TEST_P(RefusedTest, WithAReasonAndWithoutACommit) {
  Repository repository = fresh();
  const auto first = repository.apply(request({create("file"), create("folder/file")}));
  const auto refused = repository.apply(request({GetParam().change}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr(GetParam().message));
  EXPECT_EQ(repository.resolve("main").value(), first->id);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    ::testing::Values(
        RefusedCase{"CreateExisting", {.kind = Kind::kCreate, .path = "file"}, "already exists"},
        RefusedCase{"UpdateMissing", {.kind = Kind::kUpdate, .path = "none"}, "doesn't exist"},
        RefusedCase{"DeleteMissing", {.kind = Kind::kDelete, .path = "folder"}, "doesn't exist"},
        RefusedCase{"FileBelowFile", {.kind = Kind::kCreate, .path = "file/x"}, "both a file"},
        RefusedCase{"FileOverFolder", {.kind = Kind::kCreate, .path = "folder"}, "both a file"},
        RefusedCase{"Parent", {.kind = Kind::kCreate, .path = "a/../b"}, ".."},
        RefusedCase{"Absolute", {.kind = Kind::kCreate, .path = "/etc/passwd"}, "relative"},
        RefusedCase{"DotGit", {.kind = Kind::kCreate, .path = "a/.GIT/config"}, ".git"},
        RefusedCase{
            "Stale", {.kind = Kind::kUpdate, .path = "file", .last_commit_id = "0000"}, "changed since"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(RepositoryTest, ANewBranchNeedsAStart) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("a")})));
  EXPECT_EQ(repository.apply(request({create("b")}, "other")).error().code(), Code::kInvalidArgument);
  auto with_start = request({create("b")}, "other");
  with_start.start_branch = "main";
  ASSERT_TRUE(repository.apply(with_start).has_value());
  EXPECT_EQ(repository.branches()->size(), 2U);
  EXPECT_FALSE(repository.apply(request({create("c")}, "bad..name")).has_value());
}

TEST_F(RepositoryTest, SimultaneousCommitsLoseNothing) {
  fresh();
  constexpr int kThreads = 6;
  constexpr int kCommits = 10;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto repository = store.open(1);
      for (int i = 0; i < kCommits; ++i) {
        auto made = repository->apply(request({create("f" + std::to_string(t) + "-" + std::to_string(i))}));
        EXPECT_TRUE(made.has_value()) << made.error().to_string();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto repository = store.open(1);
  EXPECT_EQ(paths(*repository).size(), kThreads * kCommits);
  EXPECT_EQ(repository->log("main", "", 0, 5)->total, kThreads * kCommits);
}

TEST_F(RepositoryTest, TheLogOfAPathHasOnlyWhatChangedIt) {
  Repository repository = fresh();
  const auto first = repository.apply(request({create("a/x")}));
  ASSERT_TRUE(repository.apply(request({create("b")})));
  EXPECT_EQ(repository.last_commit_of("main", "a/x").value(), first->id);
  const auto log = repository.log("main", "a", 0, 10);
  EXPECT_EQ(log->total, 1);
  EXPECT_EQ(log->commits.at(0).id, first->id);
  EXPECT_EQ(repository.log("main", "", 1, 10)->commits.size(), 1U);
}

TEST_F(RepositoryTest, BranchesAreMadeAndDeleted) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("a")})));
  EXPECT_TRUE(repository.create_branch("x/y", "main").has_value());
  EXPECT_EQ(repository.create_branch("x/y", "main").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(repository.create_branch("z", "nowhere").error().code(), Code::kNotFound);
  EXPECT_TRUE(repository.delete_branch("x/y").ok());
  EXPECT_EQ(repository.delete_branch("x/y").code(), Code::kNotFound);
}

TEST_F(RepositoryTest, NamesOfFoldersComeFromNumbers) {
  EXPECT_EQ(RepositoryStore::relative_path(1),
            "@hashed/6b/86/6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b.git");
  fresh();
  EXPECT_TRUE(store.remove(1).ok());
  EXPECT_FALSE(store.open(1).has_value());
  EXPECT_TRUE(store.remove(1).ok());
}

TEST_F(RepositoryTest, GitItselfFindsNoFault) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("a/b"), create("a.b"), create("a-b"), create("z")})));
  ASSERT_TRUE(repository.apply(request({{.kind = Kind::kDelete, .path = "a/b"}})));
  const std::string command = "git -c safe.directory='*' -C " + folder.path() + "/" +
                              RepositoryStore::relative_path(1) + " fsck --strict >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace towline::control::git
