#include "control/git/repository.h"

#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/git/repository_store.h"
#include "control/git/test_arbiter.h"
#include "control/test_support.h"

namespace towline::control::git {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Change::Kind;

// "a/a/a", so many folders deep.
std::string nested(std::size_t depth) {
  std::string path = "a";
  while (--depth > 0) path += "/a";
  return path;
}

// Lets nobody do anything.
struct Nobody final : ReferenceArbiter {
  std::vector<Status> judge(const Repository&, std::span<const ReferenceChange> changes) override {
    return std::vector<Status>(changes.size(), Status(Code::kPermissionDenied, "no"));
  }
  Status judge_default(const Repository&, const std::string&) override {
    return {Code::kPermissionDenied, "no"};
  }
};

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
  static ObjectId id_of(const Repository& repository, const std::string& revision) {
    return repository.resolve(revision).value_or(ObjectId{});
  }
  static Result<File> file(const Repository& repository, const std::string& revision, const std::string& path,
                           std::size_t max_size = 10) {
    auto id = repository.resolve(revision);
    return id ? repository.file(*id, path, max_size) : fail(id.error());
  }
  static std::vector<std::string> paths(const Repository& repository) {
    std::vector<std::string> all;
    const auto page = repository.tree(id_of(repository, "main"), "", true, 0, 1000);
    for (const TreeEntry& entry : page->entries) all.push_back(entry.path);
    return all;
  }

  Anybody anybody;
  TempFolder folder;
  RepositoryStore store{folder.path()};
};

TEST_F(RepositoryTest, TheFirstCommitMakesTheBranch) {
  Repository repository = fresh();
  EXPECT_EQ(file(repository, "main", "a", 10).error().code(), Code::kNotFound);
  const auto commit = repository.apply(request({create("a/b/c.txt", "hello")}), anybody);
  ASSERT_TRUE(commit.has_value()) << commit.error().to_string();
  EXPECT_TRUE(commit->parents.empty());
  EXPECT_EQ(repository.resolve("HEAD").value(), commit->id);
  EXPECT_EQ(file(repository, "HEAD", "a/b/c.txt", 10)->content, "hello");
  EXPECT_EQ(file(repository, commit->id.to_text().substr(0, 10), "a/b/c.txt", 10)->content, "hello");
  EXPECT_EQ(file(repository, "main", "a/b/c.txt", 4).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(file(repository, "main", "a/b", 10).error().code(), Code::kNotFound);
}

TEST_F(RepositoryTest, SeveralChangesMakeOneCommit) {
  Repository repository = fresh();
  ASSERT_TRUE(
      repository.apply(request({create("keep"), create("old/name", "text"), create("gone/one")}), anybody));
  const auto commit =
      repository.apply(request({
                           {.kind = Kind::kUpdate, .path = "keep", .content = "new"},
                           {.kind = Kind::kMove, .path = "new/name", .previous_path = "old/name"},
                           {.kind = Kind::kDelete, .path = "gone/one"},
                       }),
                       anybody);
  ASSERT_TRUE(commit.has_value()) << commit.error().to_string();
  EXPECT_THAT(paths(repository), ElementsAre("keep", "new", "new/name"));
  EXPECT_EQ(file(repository, "main", "new/name", 10)->content, "text");
  EXPECT_EQ(file(repository, "main", "keep", 10)->content, "new");
}

TEST_F(RepositoryTest, AFolderTakesThePlaceOfADeletedFileAndTheOtherWayRound) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("a")}), anybody));
  ASSERT_TRUE(repository.apply(request({{.kind = Kind::kDelete, .path = "a"}, create("a/b")}), anybody));
  EXPECT_THAT(paths(repository), ElementsAre("a", "a/b"));
  ASSERT_TRUE(repository.apply(request({{.kind = Kind::kDelete, .path = "a/b"}, create("a")}), anybody));
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
  const auto first = repository.apply(request({create("file"), create("folder/file")}), anybody);
  const auto refused = repository.apply(request({GetParam().change}), anybody);
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
        RefusedCase{"Long", {.kind = Kind::kCreate, .path = std::string(5000, 'a')}, "4096 bytes"},
        RefusedCase{"Deep", {.kind = Kind::kCreate, .path = nested(600)}, "folders deep"},
        RefusedCase{"DotGit", {.kind = Kind::kCreate, .path = "a/.GIT/config"}, ".git"},
        RefusedCase{
            "Stale", {.kind = Kind::kUpdate, .path = "file", .last_commit_id = "0000"}, "changed since"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(RepositoryTest, ANewBranchNeedsAStart) {
  Repository repository = fresh();
  ASSERT_TRUE(repository.apply(request({create("a")}), anybody));
  EXPECT_EQ(repository.apply(request({create("b")}, "other"), anybody).error().code(),
            Code::kInvalidArgument);
  auto with_start = request({create("b")}, "other");
  with_start.start_branch = "main";
  ASSERT_TRUE(repository.apply(with_start, anybody).has_value());
  EXPECT_EQ(repository.branches("", 0, 10)->total, 2);
  EXPECT_FALSE(repository.apply(request({create("c")}, "bad..name"), anybody).has_value());
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
        auto made =
            repository->apply(request({create("f" + std::to_string(t) + "-" + std::to_string(i))}), anybody);
        EXPECT_TRUE(made.has_value()) << made.error().to_string();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto repository = store.open(1);
  EXPECT_EQ(paths(*repository).size(), kThreads * kCommits);
  EXPECT_EQ(repository->log(id_of(*repository, "main"), "", 0, 5)->total, kThreads * kCommits);
}

TEST_F(RepositoryTest, TheLogOfAPathHasOnlyWhatChangedIt) {
  Repository repository = fresh();
  const auto first = repository.apply(request({create("a/x")}), anybody);
  ASSERT_TRUE(repository.apply(request({create("b")}), anybody));
  EXPECT_EQ(repository.last_commit_of(id_of(repository, "main"), "a/x").value(), first->id);
  const auto log = repository.log(id_of(repository, "main"), "a", 0, 10);
  EXPECT_EQ(log->total, 1);
  EXPECT_EQ(log->commits.at(0).id, first->id);
  EXPECT_EQ(repository.log(id_of(repository, "main"), "", 1, 10)->commits.size(), 1U);
}

TEST_F(RepositoryTest, ReferencesMoveFromWhereTheyWereSeen) {
  Repository repository = fresh();
  const ObjectId none;
  const ObjectId one = repository.apply(request({create("a")}), anybody)->id;
  const ObjectId two = repository.apply(request({create("b")}), anybody)->id;
  const auto move = [&](std::vector<ReferenceChange> changes, bool atomic = false) {
    std::vector<Code> codes;
    for (const Status& each : repository.move(changes, atomic, anybody)) codes.push_back(each.code());
    return codes;
  };
  EXPECT_THAT(move({{"refs/heads/x/y", none, one}, {"refs/tags/v1", none, two}}),
              ElementsAre(Code::kOk, Code::kOk));
  EXPECT_THAT(move({{"refs/heads/x/y", none, two}}), ElementsAre(Code::kAborted));
  EXPECT_THAT(move({{"refs/heads/x/y", two, one}, {"refs/tags/v1", two, none}}),
              ElementsAre(Code::kAborted, Code::kOk));
  EXPECT_THAT(move({{"refs/heads/z", none, one}, {"refs/heads/x/y", two, one}}, true),
              ElementsAre(Code::kAborted, Code::kAborted));
  EXPECT_THAT(move({{"refs/heads/z", none, one}, {"refs/heads/x/y", one, two}}, true),
              ElementsAre(Code::kOk, Code::kOk));
  EXPECT_EQ(repository.references()->size(), 3U);
  EXPECT_EQ(repository.branch_head("x/y").value(), two);
  EXPECT_TRUE(repository.goes_on_from(two, one).value());
  EXPECT_FALSE(repository.goes_on_from(one, two).value());
  EXPECT_TRUE(repository.has_object(one, true));
  EXPECT_FALSE(repository.has_object(none, false));
}

TEST_F(RepositoryTest, NothingMovesWithoutTheArbiter) {
  Repository repository = fresh();
  Nobody nobody;
  EXPECT_EQ(repository.apply(request({create("a")}), nobody).error().code(), Code::kPermissionDenied);
  const std::string objects = folder.path() + "/" + RepositoryStore::relative_path(1) + "/objects";
  for (const auto& each : std::filesystem::recursive_directory_iterator(objects))
    EXPECT_TRUE(each.is_directory()) << each.path();
  const ReferenceChange change{"refs/heads/x", {}, repository.apply(request({create("a")}), anybody)->id};
  EXPECT_EQ(repository.move(std::span(&change, 1), false, nobody).front().code(), Code::kPermissionDenied);
  EXPECT_FALSE(repository.set_default_branch("x", nobody).ok());
  EXPECT_EQ(repository.references()->size(), 1U);
}

TEST_F(RepositoryTest, TreesAreListedByPages) {
  Repository repository = fresh();
  ASSERT_TRUE(
      repository.apply(request({create("a/x"), create("a/y"), create("b"), create("c/d/e")}), anybody));
  const ObjectId head = id_of(repository, "main");
  const auto names = [&](bool recursive, std::size_t skip, std::size_t limit) {
    std::vector<std::string> all;
    const auto page = repository.tree(head, "", recursive, skip, limit);
    for (const TreeEntry& each : page->entries) all.push_back(each.path);
    all.push_back(page->more ? "more" : std::to_string(page->total.value()));
    return all;
  };
  EXPECT_THAT(names(false, 0, 3), ElementsAre("a", "b", "c", "3"));
  EXPECT_THAT(names(false, 1, 1), ElementsAre("b", "more"));
  EXPECT_THAT(names(true, 0, 10), ElementsAre("a", "a/x", "a/y", "b", "c", "c/d", "c/d/e", "7"));
  EXPECT_THAT(names(true, 2, 3), ElementsAre("a/y", "b", "c", "more"));
  EXPECT_THAT(names(true, 9, 3), ElementsAre("7"));
  EXPECT_EQ(repository.tree(head, "c/d", true, 0, 1)->entries.at(0).path, "c/d/e");
  EXPECT_EQ(repository.tree(head, "b", false, 0, 1).error().code(), Code::kNotFound);
}

TEST_F(RepositoryTest, FilesOfOneNameAreFoundInAllFolders) {
  Repository repository = fresh();
  ASSERT_TRUE(
      repository.apply(request({create("f/a/config.yaml"), create("f/b/other"), create("f/config.yaml"),
                                create("f/c/config.yaml"), create("f/d/config.yaml/x")}),
                       anybody));
  const ObjectId head = id_of(repository, "main");
  const auto all = repository.files_in_folders(head, "f", "config.yaml", 0, 10);
  ASSERT_EQ(all->entries.size(), 2U);
  EXPECT_EQ(all->entries[0].path, "f/a/config.yaml");
  EXPECT_EQ(all->entries[1].path, "f/c/config.yaml");
  EXPECT_EQ(all->total, 2);
  const auto first = repository.files_in_folders(head, "f", "config.yaml", 0, 1);
  EXPECT_TRUE(first->more);
  EXPECT_EQ(repository.files_in_folders(head, "none", "x", 0, 1).error().code(), Code::kNotFound);
}

TEST_F(RepositoryTest, BranchesAreListedByPagesAndByText) {
  Repository repository = fresh();
  EXPECT_FALSE(repository.has_branches().value());
  ASSERT_TRUE(repository.apply(request({create("a")}), anybody));
  EXPECT_TRUE(repository.has_branches().value());
  const ObjectId head = id_of(repository, "main");
  for (const char* name : {"b2", "b1", "x/b3"}) ASSERT_TRUE(make_branch(repository, name, head).ok());
  const auto page = repository.branches("b", 1, 1);
  EXPECT_EQ(page->total, 3);
  EXPECT_EQ(page->branches.at(0).name, "b2");
  EXPECT_EQ(page->branches.at(0).commit_id, head);
  EXPECT_EQ(repository.branches("", 9, 10)->branches.size(), 0U);
}

TEST_F(RepositoryTest, TheHistoryOfAMergeHasBothSides) {
  Repository repository = fresh();
  const auto base = repository.apply(request({create("d/a"), create("d/b")}), anybody);
  ASSERT_TRUE(make_branch(repository, "side", base->id).ok());
  const auto update = [&](const char* branch, const char* path, std::int64_t time) {
    auto wanted = request({{.kind = Kind::kUpdate, .path = path, .content = branch}}, branch);
    wanted.committer.time = time;
    return repository.apply(wanted, anybody).value().id;
  };
  const ObjectId side = update("side", "d/a", 1'700'000'100'000);
  const ObjectId main = update("main", "d/b", 1'700'000'200'000);
  const std::string where = folder.path() + "/" + RepositoryStore::relative_path(1);
  const std::string command = "cd " + where +
                              " && git -c safe.directory='*' update-ref refs/heads/main $(git -c "
                              "safe.directory='*' -c user.name=a -c user.email=a@b commit-tree -p " +
                              main.to_text() + " -p " + side.to_text() +
                              " -m m $(git -c safe.directory='*' merge-tree --write-tree main side))";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const ObjectId merge = id_of(repository, "main");
  const auto all = repository.log(merge, "", 0, 10);
  std::vector<ObjectId> ids;
  for (const Commit& each : all->commits) ids.push_back(each.id);
  EXPECT_THAT(ids, ElementsAre(merge, main, side, base->id));
  EXPECT_EQ(repository.last_commit_of(merge, "d/a").value(), side);
  EXPECT_EQ(repository.last_commit_of(merge, "d/b").value(), main);
  EXPECT_EQ(repository.last_commit_of(merge, "d").value(), merge);
  const auto of_path = repository.log(merge, "d/a", 0, 1);
  EXPECT_EQ(of_path->commits.at(0).id, side);
  EXPECT_TRUE(of_path->more);
  EXPECT_EQ(of_path->total, 2);
  EXPECT_EQ(repository.log(merge, "d/none", 0, 1)->total, 0);
}

TEST(NamesTest, WhatMayBeTakenForAnIdIsNoName) {
  const std::string id(40, 'a');
  for (const std::string& bad : {id, std::string(40, 'A'), std::string(64, '0'), std::string("HEAD"),
                                 std::string("refs/heads/main"), std::string("-x"), std::string("a..b"),
                                 std::string("a\0b", 3), std::string(256, 'x'), std::string()}) {
    EXPECT_EQ(check_branch_name(bad).code(), Code::kInvalidArgument) << bad;
    EXPECT_EQ(check_reference_name("refs/heads/" + bad).code(), Code::kInvalidArgument) << bad;
    EXPECT_EQ(check_reference_name("refs/tags/" + bad).code(), Code::kInvalidArgument) << bad;
  }
  for (const std::string& good : {std::string("main"), std::string("a/b"), std::string(39, 'a'), id + "/x",
                                  "g" + std::string(39, 'a')}) {
    EXPECT_TRUE(check_branch_name(good).ok()) << good;
    EXPECT_TRUE(check_reference_name("refs/tags/" + good).ok()) << good;
  }
  EXPECT_FALSE(check_reference_name("refs/replace/" + id).ok());
  EXPECT_FALSE(check_reference_name("refs/notes/x").ok());
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
  ASSERT_TRUE(repository.apply(request({create("a/b"), create("a.b"), create("a-b"), create("z")}), anybody));
  ASSERT_TRUE(repository.apply(request({{.kind = Kind::kDelete, .path = "a/b"}}), anybody));
  const std::string command = "git -c safe.directory='*' -C " + folder.path() + "/" +
                              RepositoryStore::relative_path(1) + " fsck --strict >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace towline::control::git
