#include "kube/kubeconfig.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/files.h"
#include "kube/test_files.h"

namespace towline::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Kubeconfig parsed(const std::string& text, const std::string& path = "/home/me/config") {
  auto result = parse_kubeconfig(text, path);
  EXPECT_TRUE(result.has_value()) << result.error().to_string();
  return result.value_or(Kubeconfig{});
}

std::string error_of(const std::string& text) {
  const auto result = parse_kubeconfig(text, "/k");
  return result ? "no error" : result.error().message();
}

TEST(Kubeconfig, ReadsAllItsFields) {
  const Kubeconfig config = parsed(R"(
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: dev
clusters:
- name: c
  cluster:
    server: https://example.com:6443
    tls-server-name: api
    certificate-authority: pki/ca.pem
    certificate-authority-data: QUE=
    insecure-skip-tls-verify: true
    proxy-url: http://proxy
    disable-compression: true
    extensions:
    - name: client.authentication.k8s.io/exec
      extension: {audience: "1", deep: [1, 2.5, true, null, x, 'true'], more: {a: ~}}
users:
- name: u
  user:
    client-certificate: ../u.pem
    client-certificate-data: Qg==
    client-key: /abs/u.key
    client-key-data: Qw==
    token: t
    tokenFile: t.txt
    username: me
    password: pw
    as: admin
    as-uid: "7"
    as-groups: [a, b]
    as-user-extra: {k: [v]}
    auth-provider: {name: gcp}
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: bin/plugin
      args: [get, --now]
      env: [{name: K, value: V}]
      interactiveMode: Never
      installHint: buy it
      provideClusterInfo: true
contexts:
- name: dev
  context: {cluster: c, user: u, namespace: ns}
)");
  EXPECT_EQ(config.current_context, "dev");
  const ClusterEntry& cluster = config.clusters.at("c");
  EXPECT_EQ(cluster.file, "/home/me/config");
  EXPECT_EQ(cluster.server, "https://example.com:6443");
  EXPECT_EQ(cluster.tls_server_name, "api");
  EXPECT_EQ(cluster.certificate_authority, "/home/me/pki/ca.pem");
  EXPECT_EQ(cluster.certificate_authority_data, "QUE=");
  EXPECT_EQ(cluster.proxy_url, "http://proxy");
  EXPECT_TRUE(cluster.insecure_skip_tls_verify);
  EXPECT_EQ(cluster.exec_config,
            R"({"audience":"1","deep":[1,2.5E0,true,null,"x","true"],"more":{"a":null}})");
  const UserEntry& user = config.users.at("u");
  EXPECT_EQ(user.client_certificate, "/home/u.pem");
  EXPECT_EQ(user.client_certificate_data, "Qg==");
  EXPECT_EQ(user.client_key, "/abs/u.key");
  EXPECT_EQ(user.client_key_data.reveal(), "Qw==");
  EXPECT_EQ(user.token.reveal(), "t");
  EXPECT_EQ(user.token_file, "/home/me/t.txt");
  EXPECT_EQ(user.username, "me");
  EXPECT_EQ(user.password.reveal(), "pw");
  EXPECT_EQ(user.as, "admin");
  EXPECT_EQ(user.as_uid, "7");
  EXPECT_THAT(user.as_groups, ElementsAre("a", "b"));
  EXPECT_TRUE(user.as_user_extra);
  EXPECT_EQ(user.auth_provider, "gcp");
  ASSERT_TRUE(user.exec.has_value());
  EXPECT_EQ(user.exec->api_version, "client.authentication.k8s.io/v1");
  EXPECT_EQ(user.exec->command, "/home/me/bin/plugin");
  EXPECT_THAT(user.exec->args, ElementsAre("get", "--now"));
  ASSERT_EQ(user.exec->env.size(), 1u);
  EXPECT_EQ(user.exec->env[0].first, "K");
  EXPECT_EQ(user.exec->env[0].second.reveal(), "V");
  EXPECT_EQ(user.exec->interactive_mode, "Never");
  EXPECT_EQ(user.exec->install_hint, "buy it");
  EXPECT_TRUE(user.exec->provide_cluster_info);
  EXPECT_EQ(config.contexts.at("dev").cluster, "c");
  EXPECT_EQ(config.contexts.at("dev").user, "u");
  EXPECT_EQ(config.contexts.at("dev").namespace_, "ns");
}

TEST(Kubeconfig, TakesWhatKubectlTakes) {
  const auto token = [](const std::string& text) { return parsed(text).users["u"].token.reveal(); };
  EXPECT_TRUE(parsed("").empty());
  EXPECT_TRUE(parsed("---\n").empty());
  EXPECT_TRUE(parsed("clusters: null\nusers: ~\ncontexts:\n").empty());
  EXPECT_EQ(token(R"({"users": [{"name": "u", "user": {"token": "json"}}]})"), "json");
  EXPECT_EQ(token("users: [{name: u, user: {token: a, token: b}}]"), "b");
  EXPECT_EQ(token("users: [{name: u, user: {unknown: {deep: []}, token: a}}]"), "a");
  EXPECT_EQ(token("users: [{name: u, user: null}]"), "");
  EXPECT_EQ(token("users: [{name: u, user: {token: null}}]"), "");
  EXPECT_EQ(token("users: [{name: u, user: {token: 'null'}}]"), "null");
  EXPECT_EQ(token("users: [{name: u, user: {token: 0123}}]"), "0123");
  EXPECT_EQ(token("users: [{name: v, user: &a {token: t}}, {name: u, user: *a}]"), "t");
  EXPECT_EQ(token("users: [{name: v, user: &a {token: t}}, {name: u, user: {<<: *a}}]"), "t");
  EXPECT_EQ(token("users: [{name: v, user: &a {token: t}}, {name: u, user: {<<: [{}, *a], as: x}}]"), "t");
  EXPECT_EQ(token("users: [{name: v, user: &a {token: t}}, {name: u, user: {<<: *a, token: o}}]"), "o");
  EXPECT_TRUE(parsed("users: [{name: u, user: &a {<<: *a}}]").users.at("u").token.empty());
  EXPECT_EQ(parsed("current-context: a\n---\ncurrent-context: b").current_context, "a");
  EXPECT_EQ(parsed("users: [{name: u, user: {exec: {command: aws}}}]").users["u"].exec->command, "aws");
  EXPECT_TRUE(parsed("clusters: [{name: c, cluster: {insecure-skip-tls-verify: yes}}]")
                  .clusters["c"]
                  .insecure_skip_tls_verify);
}

TEST(Kubeconfig, SaysWhatIsWrongAndWhere) {
  const struct {
    std::string text;
    std::string message;
  } kCases[] = {
      {"[]", "kubeconfig /k: the document: must be a mapping (line 1)"},
      {"just words", "kubeconfig /k: the document: must be a mapping (line 1)"},
      {"kind: Pod", "kubeconfig /k: kind: must be \"Config\", is \"Pod\""},
      {"apiVersion: v2", "kubeconfig /k: apiVersion: must be \"v1\", is \"v2\""},
      {"\nusers: {}", "kubeconfig /k: users: must be a list (line 2)"},
      {"users: [3]", "kubeconfig /k: users[0]: must be a mapping (line 1)"},
      {"users: [{name: [], user: {}}]", "kubeconfig /k: users[0].name: must be text (line 1)"},
      {"users:\n- name: u\n  user: t", "kubeconfig /k: users[0].user: must be a mapping (line 3)"},
      {"users:\n- name: u\n  user:\n    token: {a: b}",
       "kubeconfig /k: users[0].user.token: must be text (line 4)"},
      {"users: [{name: u}, {name: u}]", "kubeconfig /k: users[1].name: \"u\" is there twice"},
      {"users: [{name: u, user: {as-groups: x}}]",
       "kubeconfig /k: users[0].user.as-groups: must be a list (line 1)"},
      {"users: [{name: u, user: {exec: {args: [[]]}}}]",
       "kubeconfig /k: users[0].user.exec.args[0]: must be text (line 1)"},
      {"users: [{name: u, user: {tokenFile: \"a\\0b\"}}]",
       "kubeconfig /k: users[0].user.tokenFile: must not hold a null character (line 1)"},
      {"clusters: [{name: c, cluster: {insecure-skip-tls-verify: \"true\"}}]",
       "kubeconfig /k: clusters[0].cluster.insecure-skip-tls-verify: must be true or false, without quotes "
       "(line 1)"},
      {"a: b: c", "kubeconfig /k: not YAML: illegal map value (line 1)"},
  };
  for (const auto& c : kCases) EXPECT_EQ(error_of(c.text), c.message) << c.text;
}

TEST(Kubeconfig, KeepsSecretsOutOfSyntaxErrors) {
  EXPECT_THAT(error_of("users: [{name: u, user: {token: *hunter2}}]"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error_of("users: [{name: u, user: {token: \"hunter2\\q\"}}]"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error_of("users: [{name: u, user: {token: {hunter2: x}}}]"), Not(HasSubstr("hunter2")));
}

TEST(Kubeconfig, RefusesWhatIsTooLarge) {
  EXPECT_EQ(error_of(std::string(kMaxFileSize + 1, '#')), "kubeconfig /k: larger than 1048576 bytes");
  EXPECT_TRUE(parsed(std::string(kMaxFileSize, '#')).empty());
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_EQ(error_of(deep), "kubeconfig /k: not YAML: nested too deep");
}

TEST(Kubeconfig, RefusesAliasesThatGrowWithoutEnd) {
  std::string text = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string below = "*x" + std::to_string(i - 1);
    text += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) text += (j == 0 ? "" : ", ") + below;
    text += "]\n";
  }
  text += "clusters: [{name: c, cluster: {extensions: [{name: client.authentication.k8s.io/exec, ";
  text += "extension: *x8}]}}]\n";
  EXPECT_THAT(error_of(text), HasSubstr("extension: cannot be turned into JSON, or is too large"));
}

TEST(Kubeconfigs, TakeEachNameFromTheFirstFileThatHasIt) {
  const TestFolder folder;
  const std::string a = folder.write("a", "users: [{name: u, user: {username: a, password: p}}]");
  const std::string b = folder.write("b", R"(
current-context: b
users: [{name: u, user: {token: b}}, {name: v, user: {token: v}}]
clusters: [{name: c, cluster: {server: https://b, certificate-authority: ca.pem}}])");
  const std::string c = folder.write("sub/c", R"(
current-context: c
clusters: [{name: c, cluster: {server: https://c}}, {name: d, cluster: {certificate-authority: ca.pem}}])");
  auto all = read_kubeconfigs({folder.path("missing"), a, b, c});
  ASSERT_TRUE(all.has_value()) << all.error().to_string();
  EXPECT_EQ(all->current_context, "b");
  EXPECT_EQ(all->users["u"].username, "a");
  EXPECT_TRUE(all->users["u"].token.empty());
  EXPECT_EQ(all->users["v"].token.reveal(), "v");
  EXPECT_EQ(all->clusters["c"].server, "https://b");
  EXPECT_EQ(all->clusters["c"].certificate_authority, folder.path("ca.pem"));
  EXPECT_EQ(all->clusters["d"].certificate_authority, folder.path("sub/ca.pem"));
  EXPECT_EQ(all->clusters["d"].file, c);
}

TEST(Kubeconfigs, FailWithTheFirstBrokenFile) {
  const TestFolder folder;
  const std::string good = folder.write("good", "current-context: a");
  const std::string bad = folder.write("bad", "kind: Pod");
  const auto broken = read_kubeconfigs({good, bad});
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().message(), HasSubstr("kubeconfig " + bad + ": kind"));
  const auto unreadable = read_kubeconfigs({folder.path("")});
  ASSERT_FALSE(unreadable.has_value());
  EXPECT_THAT(unreadable.error().message(), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace towline::kube
