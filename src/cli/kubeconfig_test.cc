#include "cli/kubeconfig.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "cli/files.h"

namespace towline::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

KubeconfigEntry entry() {
  return {.cluster = "towline-git.example.com",
          .server = "https://git.example.com/-/kubernetes-agent/k8s-proxy/",
          .ca_pem = "PEM",
          .user = "towline-git.example.com-agent-7",
          .command = "/usr/bin/towline",
          .args = {"cluster", "agent", "get-token", "--agent", "7"},
          .context = "mine"};
}

YAML::Node merged(const std::string& existing, const KubeconfigEntry& with) {
  const auto text = merge_kubeconfig(existing, with);
  EXPECT_TRUE(text.has_value()) << text.error().to_string();
  return text ? YAML::Load(*text) : YAML::Node();
}

std::string refusal(const std::string& existing) {
  const auto text = merge_kubeconfig(existing, entry());
  return text ? "no error:\n" + *text : text.error().message();
}

TEST(KubeconfigMerge, MakesAWholeFileOfNothing) {
  const YAML::Node file = merged("", entry());
  EXPECT_EQ(file["apiVersion"].as<std::string>(), "v1");
  EXPECT_EQ(file["kind"].as<std::string>(), "Config");
  EXPECT_FALSE(file["current-context"]);
  const YAML::Node cluster = file["clusters"][0]["cluster"];
  EXPECT_EQ(cluster["server"].as<std::string>(), entry().server);
  EXPECT_EQ(cluster["certificate-authority-data"].as<std::string>(), "UEVN");
  const YAML::Node exec = file["users"][0]["user"]["exec"];
  EXPECT_EQ(exec["apiVersion"].as<std::string>(), "client.authentication.k8s.io/v1");
  EXPECT_EQ(exec["command"].as<std::string>(), "/usr/bin/towline");
  EXPECT_EQ(exec["interactiveMode"].as<std::string>(), "Never");
  EXPECT_EQ(exec["args"][4].as<std::string>(), "7");
  EXPECT_EQ(exec["args"][4].Tag(), "!") << "the number is text, which takes quotes";
  EXPECT_EQ(file["contexts"][0]["context"]["cluster"].as<std::string>(), entry().cluster);
  EXPECT_EQ(file["contexts"][0]["context"]["user"].as<std::string>(), entry().user);
}

TEST(KubeconfigMerge, KeepsAllThatIsThere) {
  const std::string existing = R"(apiVersion: v1
kind: Config
current-context: prod
preferences: {colors: true}
extensions: [{name: x, extension: {any: [1, 2.50, null, "null"]}}]
clusters:
- name: prod
  cluster: {server: "https://prod:6443", insecure-skip-tls-verify: true}
users:
- name: admin
  user: {username: "0123", password: 'true', token: "~"}
- name: "1"
  user:
    client-key-data: |
      a: b
      c
contexts:
- name: prod
  context: {cluster: prod, user: admin, namespace: "007"}
)";
  const YAML::Node file = merged(existing, entry());
  EXPECT_EQ(file["current-context"].as<std::string>(), "prod");
  EXPECT_EQ(file["preferences"]["colors"].as<std::string>(), "true");
  const YAML::Node any = file["extensions"][0]["extension"]["any"];
  EXPECT_EQ(any[1].Scalar(), "2.50");
  EXPECT_TRUE(any[2].IsNull());
  EXPECT_EQ(any[3].Scalar(), "null");
  EXPECT_FALSE(any[3].IsNull());
  EXPECT_EQ(file["clusters"].size(), 2U);
  EXPECT_EQ(file["users"].size(), 3U);
  const YAML::Node admin = file["users"][0]["user"];
  for (const char* key : {"username", "password", "token"}) EXPECT_EQ(admin[key].Tag(), "!") << key;
  EXPECT_EQ(admin["username"].Scalar(), "0123");
  EXPECT_EQ(file["users"][1]["name"].Tag(), "!");
  EXPECT_EQ(file["users"][1]["user"]["client-key-data"].Scalar(), "a: b\nc\n");
  EXPECT_EQ(file["contexts"][0]["context"]["namespace"].Scalar(), "007");
  EXPECT_EQ(file["contexts"][0]["context"]["namespace"].Tag(), "!");
}

TEST(KubeconfigMerge, TakesJsonAndEmptyLists) {
  const YAML::Node file = merged(
      R"({"apiVersion": "v1", "kind": "Config", "clusters": [], "users": null, "contexts": []})", entry());
  EXPECT_EQ(file["clusters"].size(), 1U);
  EXPECT_EQ(file["users"].size(), 1U);
  EXPECT_EQ(file["contexts"].size(), 1U);
}

TEST(KubeconfigMerge, UpdatesItsOwnEntriesInPlace) {
  std::string text = *merge_kubeconfig("", entry());
  text.replace(text.find("user: \"towline"), 0, "namespace: apps\n      ");
  text.replace(text.find("server: "), 0, "proxy-url: http://proxy:3128\n      ");
  KubeconfigEntry later = entry();
  later.server = "https://git.example.com/elsewhere/";
  later.ca_pem = "";
  later.user = "towline-git.example.com-agent-8";
  later.use_context = true;
  const YAML::Node file = merged(text, later);
  ASSERT_EQ(file["clusters"].size(), 1U);
  EXPECT_EQ(file["clusters"][0]["cluster"]["server"].Scalar(), later.server);
  EXPECT_EQ(file["clusters"][0]["cluster"]["proxy-url"].Scalar(), "http://proxy:3128");
  EXPECT_FALSE(file["clusters"][0]["cluster"]["certificate-authority-data"]);
  EXPECT_EQ(file["users"].size(), 2U);
  ASSERT_EQ(file["contexts"].size(), 1U);
  EXPECT_EQ(file["contexts"][0]["context"]["namespace"].Scalar(), "apps");
  EXPECT_EQ(file["contexts"][0]["context"]["user"].Scalar(), later.user);
  EXPECT_EQ(file["current-context"].Scalar(), "mine");
}

TEST(KubeconfigMerge, IsTheSameTwice) {
  const std::string once = *merge_kubeconfig("", entry());
  EXPECT_EQ(*merge_kubeconfig(once, entry()), once);
}

TEST(KubeconfigMerge, RefusesAnothersContext) {
  EXPECT_THAT(refusal("contexts: [{name: mine, context: {cluster: prod, user: admin}}]"),
              testing::AllOf(HasSubstr("belongs to the cluster prod"), HasSubstr("--context")));
}

TEST(KubeconfigMerge, RefusesWhatIsNoKubeconfig) {
  EXPECT_THAT(refusal("a: [1"), HasSubstr("line "));
  EXPECT_THAT(refusal("[1, 2]"), HasSubstr("not a mapping"));
  EXPECT_THAT(refusal("kind: Pod"), HasSubstr("its kind is not Config"));
  EXPECT_THAT(refusal("clusters: {a: b}"), HasSubstr("clusters is not a list"));
  EXPECT_THAT(refusal("kind: Config\n---\nkind: Config\n"), HasSubstr("several documents"));
  EXPECT_THAT(refusal("x: &x {y: *x}"), HasSubstr("too deep"));
}

class KubeconfigFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "kubeconfigXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  static mode_t mode(const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }
  fs::path folder_;
};

TEST_F(KubeconfigFile, IsMadeForItsOwnerOnly) {
  const fs::path path = folder_ / "new/config";
  ASSERT_TRUE(update_kubeconfig_file(path, entry()).ok());
  EXPECT_EQ(mode(path), 0600U);
  EXPECT_EQ(mode(folder_ / "new"), 0700U);
  EXPECT_FALSE(fs::exists(path.string() + ".lock"));
}

TEST_F(KubeconfigFile, KeepsItsModeAndTheLinkToIt) {
  const fs::path path = folder_ / "real";
  std::ofstream(path) << "kind: Config\n";
  fs::permissions(path, fs::perms(0640));
  fs::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(update_kubeconfig_file(folder_ / "link", entry()).ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(mode(path), 0640U);
  EXPECT_THAT(*read_file(path), HasSubstr("get-token"));
}

TEST_F(KubeconfigFile, StaysAsItWasWhenItCannotBeMerged) {
  const fs::path path = folder_ / "config";
  std::ofstream(path) << "kind: [broken\n";
  const Status status = update_kubeconfig_file(path, entry());
  EXPECT_THAT(status.message(), HasSubstr(path.string()));
  EXPECT_EQ(*read_file(path), "kind: [broken\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1)
      << "no lock and no half-written file is left";
}

TEST_F(KubeconfigFile, IsTheOneThatKubectlWouldChange) {
  std::ofstream(folder_ / "b") << "";
  const std::string a = folder_ / "a";
  const std::string b = folder_ / "b";
  EXPECT_EQ(*kubeconfig_path("given", a, "/home/me"), "given");
  EXPECT_EQ(*kubeconfig_path("", a + ":" + b, "/home/me"), b);
  EXPECT_EQ(*kubeconfig_path("", "::" + a + ":", "/home/me"), a);
  EXPECT_EQ(*kubeconfig_path("", "", "/home/me"), "/home/me/.kube/config");
  EXPECT_FALSE(kubeconfig_path("", "", ""));
}

}  // namespace
}  // namespace towline::cli
