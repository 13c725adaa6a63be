#include <gmock/gmock.h>

#include "base/encoding.h"
#include "control/test_plane.h"

namespace towline::control {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using ResourcesTest = PlaneTest;

TEST_F(ResourcesTest, AProjectIsChangedAndDeleted) {
  const auto id = make_project("old", root);
  const auto path = "/projects/" + std::to_string(id);
  EXPECT_EQ(expect(200, "PUT", path, root.token, R"({"path":"new"})").at("path_with_namespace"), "root/new");
  expect(200, "GET", "/projects/root%2Fnew", root.token);
  expect(404, "GET", "/projects/root%2Fold", root.token);
  expect(202, "DELETE", path, root.token);
  expect(404, "GET", path, root.token);
  EXPECT_FALSE(repositories.open(id).has_value());
}

TEST_F(ResourcesTest, FilesAreWrittenAndRead) {
  make_project("p", root);
  const std::string file = "/projects/root%2Fp/repository/files/%2Egitlab%2Fagents%2Fa%2Fconfig%2Eyaml";
  expect(404, "GET", file + "?ref=main", root.token);
  const std::string body =
      R"({"branch":"main","author_name":"Ada","author_email":"ada@example.com","content":"aGk=","encoding":"base64",)"
      R"("commit_message":"m"})";
  const auto made = expect(201, "POST", file, root.token, body);
  EXPECT_EQ(made.at("file_path"), ".gitlab/agents/a/config.yaml");
  EXPECT_EQ(made.at("branch"), "main");
  EXPECT_THAT(message(call("POST", file, root.token, body)), HasSubstr("already exists"));
  const auto read = expect(200, "GET", file + "?ref=main", root.token);
  EXPECT_EQ(read.at("content"), "aGk=");
  EXPECT_EQ(read.at("encoding"), "base64");
  EXPECT_EQ(read.at("size"), 2);
  EXPECT_EQ(read.at("content_sha256"), sha256_hex("hi").c_str());
  EXPECT_EQ(read.at("ref"), "main");
  EXPECT_EQ(read.at("file_name"), "config.yaml");
  EXPECT_EQ(read.at("last_commit_id"), read.at("commit_id"));
  const auto head = call("HEAD", file + "?ref=main", root.token);
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.body.empty());
  EXPECT_EQ(header(head, "x-gitlab-blob-id"), std::string(read.at("blob_id").as_string()));
  EXPECT_EQ(header(head, "x-gitlab-file-path"), ".gitlab/agents/a/config.yaml");
  EXPECT_EQ(header(head, "x-gitlab-size"), "2");
  EXPECT_EQ(call("HEAD", file + "?ref=none", root.token).status, 404);
  expect(200, "PUT", file, root.token, R"({"branch":"main","commit_message":"m","content":"new"})");
  const auto raw = call("GET", file + "/raw", root.token);
  EXPECT_EQ(raw.body, "new");
  EXPECT_EQ(header(raw, "x-content-type-options"), "nosniff");
  expect(204, "DELETE", file + "?branch=main&commit_message=bye", root.token);
  expect(404, "GET", file, root.token);
  expect(400, "PUT", file, root.token, R"({"branch":"main","commit_message":"m","content":"new"})");
  expect(400, "POST", file, root.token, R"({"branch":"main","commit_message":"m"})");
  const std::string outside = "/projects/root%2Fp/repository/files/..%2Fx";
  expect(400, "POST", outside, root.token, R"({"branch":"main","commit_message":"m","content":""})");
}

TEST_F(ResourcesTest, WritingFilesTakesTheDeveloperRole) {
  const auto id = make_project("p", root, R"(,"visibility":"public")");
  const Person ada = add_user("ada");
  const std::string members = "/projects/" + std::to_string(id) + "/members";
  const std::string file = "/projects/root%2Fp/repository/files/a";
  put_file("root%2Fp", "README", "x", root.token);
  const std::string body = R"({"branch":"topic","start_branch":"main","commit_message":"m","content":"x"})";
  expect(403, "POST", file, ada.token, body);
  const std::string who = R"({"user_id":)" + std::to_string(ada.id);
  expect(201, "POST", members, root.token, who + R"(,"access_level":20})");
  expect(409, "POST", members, root.token, who + R"(,"access_level":20})");
  expect(403, "POST", file, ada.token, body);
  expect(200, "PUT", members + "/" + std::to_string(ada.id), root.token, R"({"access_level":30})");
  expect(201, "POST", file, ada.token, body);
  expect(204, "DELETE", members + "/" + std::to_string(ada.id), root.token);
  expect(403, "PUT", file, ada.token, body);
}

TEST_F(ResourcesTest, CommitsTreesAndBranches) {
  make_project("p", root);
  const auto commit = expect(201, "POST", "/projects/root%2Fp/repository/commits", root.token,
                             R"({"branch":"main","commit_message":"two\n\nbody","actions":[
                               {"action":"create","file_path":"a/b.txt","content":"x"},
                               {"action":"create","file_path":"c","content":"eA==","encoding":"base64"}]})");
  EXPECT_EQ(commit.at("title"), "two");
  const std::string sha(commit.at("id").as_string());
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fp/repository/commits/" + sha, root.token), commit);
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fp/repository/commits/main", root.token), commit);
  expect(404, "GET", "/projects/root%2Fp/repository/commits/none", root.token);
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fp/repository/commits?path=c", root.token).as_array().size(),
            1U);
  const auto tree = expect(200, "GET", "/projects/root%2Fp/repository/tree", root.token);
  ASSERT_EQ(tree.as_array().size(), 2U);
  EXPECT_EQ(tree.at(0).at("type"), "tree");
  EXPECT_EQ(tree.at(1).at("mode"), "100644");
  EXPECT_EQ(
      expect(200, "GET", "/projects/root%2Fp/repository/tree?recursive=true", root.token).as_array().size(),
      3U);
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fp/repository/tree?path=a/", root.token).at(0).at("path"),
            "a/b.txt");
  expect(404, "GET", "/projects/root%2Fp/repository/tree?path=none", root.token);
  expect(201, "POST", "/projects/root%2Fp/repository/branches?branch=x/y&ref=main", root.token);
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fp/repository/branches/x%2Fy", root.token).at("default"),
            false);
  EXPECT_EQ(expect(200, "GET", "/projects/root%2Fp/repository/branches", root.token).as_array().size(), 2U);
  expect(204, "DELETE", "/projects/root%2Fp/repository/branches/x%2Fy", root.token);
  expect(404, "GET", "/projects/root%2Fp/repository/branches/x%2Fy", root.token);
  expect(403, "DELETE", "/projects/root%2Fp/repository/branches/main", root.token);
  const auto bad =
      call("POST", "/projects/root%2Fp/repository/commits", root.token,
           R"({"branch":"main","commit_message":"m","actions":[{"action":"chmod","file_path":"c"}]})");
  EXPECT_THAT(message(bad), HasSubstr("actions[0]: action"));
}

TEST_F(ResourcesTest, AnAgentIsRegisteredAndGetsTokens) {
  make_project("p", root);
  const std::string agents = "/projects/root%2Fp/cluster_agents";
  const auto agent = expect(201, "POST", agents, root.token, R"({"name":"my-agent"})");
  EXPECT_EQ(agent.at("config_project").at("path_with_namespace"), "root/p");
  EXPECT_EQ(agent.at("is_receptive"), false);
  EXPECT_EQ(agent.at("created_by_user_id"), root.id);
  expect(409, "POST", agents, root.token, R"({"name":"my-agent"})");
  const std::string one = agents + "/" + std::to_string(agent.at("id").as_int64());
  EXPECT_EQ(expect(200, "GET", one, root.token), agent);
  EXPECT_EQ(expect(200, "GET", agents, root.token).as_array().size(), 1U);

  const auto first = expect(201, "POST", one + "/tokens", root.token, R"({"name":"a","description":"d"})");
  EXPECT_THAT(std::string(first.at("token").as_string()), StartsWith("glagent-"));
  EXPECT_EQ(first.at("status"), "active");
  expect(201, "POST", one + "/tokens", root.token, R"({"name":"b"})");
  EXPECT_THAT(message(call("POST", one + "/tokens", root.token, R"({"name":"c"})")),
              HasSubstr("two active tokens"));
  const std::string token = one + "/tokens/" + std::to_string(first.at("id").as_int64());
  EXPECT_TRUE(expect(200, "GET", token, root.token).at("last_used_at").is_null());
  EXPECT_FALSE(expect(200, "GET", token, root.token).as_object().contains("token"));
  EXPECT_FALSE(
      expect(200, "GET", one + "/tokens?per_page=2", root.token).at(0).as_object().contains("last_used_at"));
  expect(204, "DELETE", token, root.token);
  expect(404, "GET", token, root.token);
  expect(404, "DELETE", token, root.token);
  EXPECT_EQ(expect(200, "GET", one + "/tokens", root.token).as_array().size(), 1U);
  expect(201, "POST", one + "/tokens", root.token, R"({"name":"c"})");
  make_project("other", root);
  expect(404, "GET", "/projects/root%2Fother/cluster_agents/" + std::to_string(agent.at("id").as_int64()),
         root.token);
  expect(204, "DELETE", one, root.token);
  expect(404, "GET", one, root.token);
}

TEST_F(ResourcesTest, GroupsNestAndGiveTheirRolesToWhatIsBelow) {
  const Person ada = add_user("ada");
  const auto top =
      expect(201, "POST", "/groups", root.token, R"({"name":"Top","path":"top"})").at("id").as_int64();
  const auto sub = expect(201, "POST", "/groups", root.token,
                          R"({"name":"Sub","path":"sub","parent_id":)" + std::to_string(top) + "}");
  EXPECT_EQ(sub.at("full_path"), "top/sub");
  EXPECT_EQ(sub.at("full_name"), "Top / Sub");
  make_project("p", root, R"(,"namespace_id":)" + std::to_string(sub.at("id").as_int64()));
  expect(404, "GET", "/projects/top%2Fsub%2Fp", ada.token);
  expect(201, "POST", "/groups/top/members", root.token,
         R"({"user_id":)" + std::to_string(ada.id) + R"(,"access_level":40})");
  const auto project = expect(200, "GET", "/projects/top%2Fsub%2Fp", ada.token);
  EXPECT_EQ(project.at("name_with_namespace"), "Top / Sub / p");
  EXPECT_EQ(project.at("permissions").at("project_access").at("access_level"), 40);
  EXPECT_EQ(expect(200, "GET", "/projects/top%2Fsub%2Fp/members/all", ada.token).as_array().size(), 2U);
  EXPECT_EQ(expect(200, "GET", "/projects/top%2Fsub%2Fp/members", ada.token).as_array().size(), 0U);
  EXPECT_EQ(expect(200, "GET", "/groups/top/projects?include_subgroups=true", ada.token).as_array().size(),
            1U);
  EXPECT_EQ(expect(200, "GET", "/groups/top/projects", ada.token).as_array().size(), 0U);
  EXPECT_EQ(expect(200, "GET", "/groups/top/subgroups", ada.token).as_array().size(), 1U);
  EXPECT_EQ(expect(200, "GET", "/groups", ada.token).as_array().size(), 2U);
  const Person bob = add_user("bob");
  expect(403, "POST", "/groups/top/members", ada.token,
         R"({"user_id":)" + std::to_string(bob.id) + R"(,"access_level":50})");
  expect(403, "DELETE", "/groups/top/members/" + std::to_string(root.id), root.token);
  expect(202, "DELETE", "/groups/top", root.token);
  expect(404, "GET", "/projects/top%2Fsub%2Fp", root.token);
}

TEST_F(ResourcesTest, UsersAreMadeByAdministrators) {
  const std::string body =
      R"({"username":"ada","name":"Ada","email":"ada@example.com","password":"long enough"})";
  const auto ada = expect(201, "POST", "/users", root.token, body);
  EXPECT_EQ(ada.at("username"), "ada");
  expect(409, "POST", "/users", root.token, body);
  const std::string token = add_token(ada.at("id").as_int64(), {"api"});
  expect(403, "POST", "/users", token, body);
  EXPECT_EQ(expect(200, "GET", "/user", token).at("email"), "ada@example.com");
  EXPECT_FALSE(expect(200, "GET", "/users/" + std::to_string(root.id), token).as_object().contains("email"));
  EXPECT_EQ(expect(200, "GET", "/users?username=ADA", token).as_array().size(), 1U);
  expect(404, "GET", "/users/999", token);
}

}  // namespace
}  // namespace towline::control
