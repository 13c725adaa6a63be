// Repositories that were written to do harm.
#include <cstdlib>
#include <unordered_map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/files.h"
#include "control/git/repository_impl.h"
#include "control/git/repository_store.h"
#include "control/git/test_arbiter.h"
#include "control/test_support.h"

namespace towline::control::git {
namespace {

using ::testing::HasSubstr;

class HostileRepositoryTest : public ::testing::Test {
 protected:
  HostileRepositoryTest() {
    repository.emplace(store.create(1, "main").value());
    EXPECT_EQ(git_repository_open_bare(out(raw), path().c_str()), 0);
    EXPECT_EQ(git_repository_odb(out(odb), raw.get()), 0);
  }
  std::string path() const { return folder.path() + "/" + RepositoryStore::relative_path(1); }
  void git(const std::string& arguments) {
    const std::string command = "git -c safe.directory='*' -C " + path() + " " + arguments + " >/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << arguments;
  }
  ObjectId write(git_object_t type, const std::string& content) {
    git_oid id;
    EXPECT_EQ(git_odb_write(&id, odb.get(), content.data(), content.size(), type), 0);
    return from_oid(id);
  }
  static std::string entry(const std::string& mode, const std::string& name, const ObjectId& id) {
    return mode + " " + name + '\0' + std::string(id.bytes.begin(), id.bytes.end());
  }
  ObjectId blob(const std::string& content = "x") { return write(GIT_OBJECT_BLOB, content); }
  ObjectId tree(const std::string& content) { return write(GIT_OBJECT_TREE, content); }
  ObjectId commit(const ObjectId& of, const std::string& parents = "", const std::string& message = "x") {
    const std::string by = " a <a@b> 1700000000 +0000\n";
    return write(GIT_OBJECT_COMMIT,
                 "tree " + of.to_text() + "\n" + parents + "author" + by + "committer" + by + "\n" + message);
  }
  ObjectId tag(const ObjectId& of, const std::string& type, const std::string& message = "x") {
    return write(GIT_OBJECT_TAG, "object " + of.to_text() + "\ntype " + type +
                                     "\ntag t\ntagger a <a@b> 1700000000 +0000\n\n" + message);
  }
  // Whatever the name: as somebody may have written it before it was refused.
  void point(const std::string& reference, const ObjectId& id) {
    git("update-ref " + reference + " " + id.to_text());
  }
  ObjectId commit_file(const std::string& branch, const std::string& content) {
    const Signature ada{"Ada", "ada@example.com", 1'700'000'000'000};
    CommitRequest request{
        .branch = branch, .start_branch = {}, .message = "x", .author = ada, .committer = ada};
    const bool there = repository->branch_head(branch)->has_value();
    request.changes.push_back({.kind = there ? Change::Kind::kUpdate : Change::Kind::kCreate,
                               .path = "file",
                               .previous_path = {},
                               .content = content,
                               .last_commit_id = {}});
    auto made = repository->apply(request, anybody);
    EXPECT_TRUE(made.has_value()) << made.error().to_string();
    return made ? made->id : ObjectId{};
  }

  Anybody anybody;
  TempFolder folder;
  RepositoryStore store{folder.path()};
  std::optional<Repository> repository;
  RepositoryHandle raw;
  OdbHandle odb;
};

TEST_F(HostileRepositoryTest, ABranchOrTagNamedLikeACommitTakesNothingOver) {
  const ObjectId head = commit_file("main", "good");
  const ObjectId evil = commit(tree(entry("100644", "file", blob("evil"))));
  for (const std::string kind : {"refs/heads/", "refs/tags/"}) {
    point(kind + head.to_text(), evil);
    EXPECT_EQ(repository->resolve(head.to_text()).value(), head);
    EXPECT_EQ(repository->resolve(kind + head.to_text()).value(), evil);
    EXPECT_EQ(repository->file(head, "file", 10)->content, "good");
  }
  EXPECT_EQ(repository->last_commit_of(head, "file").value(), head);
  const ObjectId next = commit_file("main", "better");
  EXPECT_EQ(repository->commit(next)->parents, std::vector{head});
  EXPECT_FALSE(check_branch_name(next.to_text()).ok());
}

TEST_F(HostileRepositoryTest, AnIdThatIsNoCommitIsNotLookedUpAsAName) {
  const ObjectId head = commit_file("main", "x");
  const std::string none(40, 'a');
  point("refs/heads/" + none, head);
  EXPECT_EQ(repository->resolve(none).error().code(), Code::kNotFound);
  EXPECT_EQ(repository->resolve(blob().to_text()).error().code(), Code::kNotFound);
}

TEST_F(HostileRepositoryTest, RevisionsAreNamesAndIdsAndNoLanguage) {
  const ObjectId head = commit_file("main", "x");
  commit_file("main", "y");
  point("refs/notes/n", head);
  const std::string id = head.to_text();
  for (const std::string& revision : {std::string(":/x"),
                                      std::string(":/(a+)+$"),
                                      std::string("main^{/x}"),
                                      std::string("main^{/(a+)+$}"),
                                      std::string("main~1"),
                                      std::string("main^"),
                                      std::string("HEAD~1"),
                                      std::string("main@{0}"),
                                      std::string("@{-1}"),
                                      std::string("@{}"),
                                      std::string("@"),
                                      std::string("main:file"),
                                      std::string("main^{tree}"),
                                      std::string("main^{}"),
                                      std::string("~3"),
                                      std::string("^{/^x}"),
                                      std::string("main..main"),
                                      std::string("refs/notes/n"),
                                      std::string("notes/n"),
                                      std::string("heads/main"),
                                      std::string("refs/heads/../heads/main"),
                                      std::string("../heads/main"),
                                      std::string("main-0-g") + id,
                                      std::string("*"),
                                      std::string("main\0x", 6),
                                      std::string(),
                                      id.substr(0, 6),
                                      id + "0",
                                      std::string(1'000'000, 'a'),
                                      "main" + std::string(5000, '^')}) {
    EXPECT_EQ(repository->resolve(revision).error().code(), Code::kNotFound) << revision.substr(0, 50);
  }
  for (const std::string& revision : {id, id.substr(0, 7), id.substr(0, 39)})
    EXPECT_EQ(repository->resolve(revision).value(), head);
  for (const char* revision : {"main", "HEAD", "refs/heads/main"})
    EXPECT_NE(repository->resolve(revision).value(), head);
}

TEST_F(HostileRepositoryTest, AShortIdOfSeveralObjectsIsAmbiguous) {
  std::unordered_map<std::string, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string content = std::to_string(i);
    git_oid id;
    ASSERT_EQ(git_odb_hash(&id, content.data(), content.size(), GIT_OBJECT_BLOB), 0);
    const std::string digits = to_text(id).substr(0, 7);
    const auto [other, fresh] = seen.emplace(digits, content);
    if (fresh) continue;
    blob(content);
    blob(other->second);
    const Status status = repository->resolve(digits).error();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("ambiguous"));
    return;
  }
}

TEST_F(HostileRepositoryTest, AZeroByteEndsNoName) {
  commit_file("main", "x");
  const std::string name("main\0x", 6);
  EXPECT_FALSE(repository->branch_head(name)->has_value());
  EXPECT_EQ(
      repository->file(repository->resolve("main").value(), std::string("file\0x", 6), 10).error().code(),
      Code::kInvalidArgument);
  EXPECT_TRUE(repository->branch_head("main")->has_value());
}

TEST_F(HostileRepositoryTest, ADeepTreeIsNotListed) {
  std::string content = entry("100644", "a", blob());
  std::string deep = "a";
  for (std::size_t i = 0; i < kMaxDepth + 10; ++i) {
    content = entry("40000", "a", tree(content));
    deep += "/a";
  }
  const ObjectId head = commit(tree(content));
  const auto listed = repository->tree(head, "", true, 0, 1);
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(listed.error().message(), HasSubstr("512 deep"));
  EXPECT_EQ(repository->tree(head, "", false, 0, 10)->total, 1);
  EXPECT_EQ(repository->tree(head, "a/a/a/a/a/a/a/a/a/a/a/a/a/a", true, 0, 1)->total, 509);
  EXPECT_EQ(repository->file(head, deep, 10).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(repository->log(head, deep, 0, 1).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(repository->file(head, deep.substr(24), 10).error().code(), Code::kNotFound);
}

TEST_F(HostileRepositoryTest, ATreeThatIsFoundOnManyWaysIsNotWalkedOnAll) {
  std::string content;
  for (char name = 'a'; name <= 'j'; ++name) content += entry("100644", {name}, blob());
  for (int level = 0; level < 12; ++level) {
    const ObjectId below = tree(content);
    content.clear();
    for (char name = 'a'; name <= 'j'; ++name) content += entry("40000", {name}, below);
  }
  const ObjectId head = commit(tree(content));
  const auto first = repository->tree(head, "", true, 0, 20);
  ASSERT_TRUE(first.has_value()) << first.error().to_string();
  EXPECT_EQ(first->entries.size(), 20U);
  EXPECT_TRUE(first->more);
  EXPECT_FALSE(first->total.has_value());
  EXPECT_EQ(repository->tree(head, "", true, 50'000, 20)->entries.size(), 20U);
  EXPECT_EQ(repository->tree(head, "", true, 1'000'000, 20).error().code(), Code::kResourceExhausted);
}

TEST_F(HostileRepositoryTest, AFileIsNotInflatedOverItsLimit) {
  const std::string command =
      "head -c 70000000 /dev/zero | git -c safe.directory='*' -c core.compression=1 -C " + path() +
      " hash-object -w --stdin > " + folder.path() + "/id";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const ObjectId bomb = ObjectId::parse(read_file(folder.path() + "/id").value().substr(0, 40)).value();
  const ObjectId head = commit(tree(entry("100644", "bomb", bomb) + entry("40000", "f", tree(""))));
  const auto refused = repository->file(head, "bomb", 1000);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message(), HasSubstr("larger than 1000 bytes"));
  EXPECT_THAT(repository->file(head, "bomb", 1'000'000'000).error().message(),
              HasSubstr("larger than 33554432 bytes"));
  // Nor by libgit2 itself, which does so unasked with what another object is stored as a difference to.
  BlobHandle inflated;
  const git_oid id = to_oid(bomb);
  const int error = git_blob_lookup(out(inflated), raw.get(), &id);
  EXPECT_EQ(git_status(error, "blob").code(), Code::kResourceExhausted);
  EXPECT_EQ(repository->file(head, "f", 1000).error().code(), Code::kNotFound);
}

TEST_F(HostileRepositoryTest, HugeCommitsTagsAndTreesAreRefused) {
  const ObjectId empty = tree("");
  const ObjectId huge = commit(empty, "", std::string(2 << 20, 'm'));
  const ObjectId after = commit(empty, "parent " + huge.to_text() + "\n");
  EXPECT_EQ(repository->commit(huge).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(repository->log(after, "", 0, 10)->commits.size(), 1U);  // as far as it can be looked at
  EXPECT_EQ(repository->last_commit_of(after, "x").value(), after);

  point("refs/tags/huge", tag(after, "commit", std::string(2 << 20, 'm')));
  EXPECT_EQ(repository->resolve("huge").error().code(), Code::kResourceExhausted);

  std::string content;
  for (int i = 0; content.size() <= kMaxTree; ++i) {
    std::string name = std::to_string(i);
    name.insert(0, 200 - name.size(), '0');
    content += entry("100644", name, empty);
  }
  const ObjectId wide = commit(tree(content));
  EXPECT_EQ(repository->tree(wide, "", false, 0, 1).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(repository->file(wide, "x", 1).error().code(), Code::kResourceExhausted);
}

TEST_F(HostileRepositoryTest, AnnotatedTagsAreFollowedSoFar) {
  const ObjectId head = commit_file("main", "x");
  ObjectId last = tag(head, "commit");
  point("refs/tags/one", last);
  for (int i = 0; i < 20; ++i) last = tag(last, "tag");
  point("refs/tags/many", last);
  point("refs/tags/blob", blob());
  EXPECT_EQ(repository->resolve("one").value(), head);
  EXPECT_EQ(repository->resolve("many").error().code(), Code::kNotFound);
  EXPECT_EQ(repository->resolve("blob").error().code(), Code::kNotFound);
}

TEST_F(HostileRepositoryTest, ListsCutLongMessagesAndManyParents) {
  const ObjectId empty = tree("");
  std::string parents;
  for (int i = 0; i < 150; ++i) parents += "parent " + commit(empty, "", std::to_string(i)).to_text() + "\n";
  const ObjectId head = commit(empty, parents, std::string(100'000, 'm'));
  const auto log = repository->log(head, "", 0, 200);
  ASSERT_EQ(log->commits.size(), 151U);
  EXPECT_EQ(log->commits[0].message.size(), 10U * 1024);
  EXPECT_EQ(log->commits[0].parents.size(), 100U);
  EXPECT_EQ(repository->commit(head)->message.size(), 100'000U);
  EXPECT_EQ(repository->commit(head)->parents.size(), 150U);
}

TEST_F(HostileRepositoryTest, WhatCouldNotBeReadAgainIsNotWritten) {
  const Signature ada{"Ada", "ada@example.com", 1'700'000'000'000};
  CommitRequest request{.branch = "main",
                        .start_branch = {},
                        .message = std::string(600'000, 'm'),
                        .author = ada,
                        .committer = ada,
                        .changes = {}};
  EXPECT_EQ(repository->apply(request, anybody).error().code(), Code::kResourceExhausted);
  request.message = "x";
  for (int i = 0; i < 1001; ++i) {
    request.changes.push_back({.kind = Change::Kind::kCreate,
                               .path = "f" + std::to_string(i),
                               .previous_path = {},
                               .content = "x",
                               .last_commit_id = {}});
  }
  EXPECT_EQ(repository->apply(request, anybody).error().code(), Code::kResourceExhausted);
  request.changes.resize(30);
  std::string folders;
  for (int i = 0; i < 400; ++i) folders += "f/";
  for (Change& change : request.changes) change.path.insert(0, folders);
  EXPECT_EQ(repository->apply(request, anybody).error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(repository->has_branches().value());
}

TEST_F(HostileRepositoryTest, WorkEndsWhenNobodyWantsIt) {
  const ObjectId head = commit_file("main", "x");
  FakeClock clock;
  auto interrupt = std::make_shared<Interrupt>(clock, std::chrono::hours(1));
  auto watched = store.open(1, interrupt);
  ASSERT_TRUE(watched->log(head, "", 0, 1).has_value());
  interrupt->cancel();
  EXPECT_EQ(watched->log(head, "file", 0, 1).error().code(), Code::kCancelled);
  EXPECT_EQ(watched->last_commit_of(head, "file").error().code(), Code::kCancelled);
  EXPECT_EQ(watched->tree(head, "", true, 0, 1).error().code(), Code::kCancelled);
  EXPECT_EQ(watched->file(head, "file", 1).error().code(), Code::kCancelled);
  EXPECT_EQ(watched->references().error().code(), Code::kCancelled);
  EXPECT_EQ(watched->branches("", 0, 1).error().code(), Code::kCancelled);
  EXPECT_EQ(watched->resolve("main").error().code(), Code::kCancelled);
}

}  // namespace
}  // namespace towline::control::git
