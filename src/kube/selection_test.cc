#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/test_config.h"

namespace towline::kube {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::StartsWith;

TEST_F(LoadConfig, NeedsNoKubeconfigWhenTheServerIsGiven) {
  Overrides overrides;
  overrides.server = "https://k";
  overrides.token = "t";
  overrides.as = "somebody";
  const auto config = load(overrides);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->origin, "flags");
  EXPECT_EQ(config->default_namespace, "default");
  EXPECT_EQ(config->impersonate_user, "somebody");
  EXPECT_EQ(header(config), "Bearer t");
}

TEST_F(LoadConfig, ChoosesByFlags) {
  const std::string text = R"(
current-context: a
clusters: [{name: a, cluster: {server: https://a, tls-server-name: n}}, {name: b, cluster: {server: https://b}}]
users: [{name: a, user: {token: ta}}, {name: b, user: {token: tb, as: x, as-groups: [g, h]}}]
contexts: [{name: a, context: {cluster: a, user: a}}, {name: b, context: {cluster: b, user: b}}]
)";
  Overrides overrides;
  overrides.context = "b";
  auto config = load_file(text, overrides);
  EXPECT_EQ(header(config), "Bearer tb");
  EXPECT_EQ(config->server.host, "b");
  EXPECT_EQ(config->impersonate_user, "x");
  EXPECT_THAT(config->impersonate_groups, ElementsAre("g", "h"));
  overrides.user = "a";
  overrides.cluster = "a";
  overrides.as = "y";
  config = load_file(text, overrides);
  EXPECT_EQ(header(config), "Bearer ta");
  EXPECT_EQ(config->server.host, "a");
  EXPECT_EQ(config->tls_server_name, "n");
  EXPECT_EQ(config->impersonate_user, "y");
  // The name belongs to the server of the kubeconfig.
  overrides.server = "https://c";
  EXPECT_EQ(load_file(text, overrides)->tls_server_name, "");
  overrides.tls_server_name = "m";
  EXPECT_EQ(load_file(text, overrides)->tls_server_name, "m");
}

TEST_F(LoadConfig, SaysWhichNameDoesNotExist) {
  const std::string text = R"(
clusters: [{name: c, cluster: {server: https://a}}]
contexts: [{name: no-c, context: {cluster: x}}, {name: no-u, context: {cluster: c, user: x}}]
)";
  const auto with = [&](auto set) {
    Overrides overrides;
    set(overrides);
    return error_of(load_file(text, overrides));
  };
  EXPECT_EQ(with([](Overrides&) {}),
            "kubeconfig config: no cluster is chosen: set current-context, or give --context or --server");
  EXPECT_EQ(with([](Overrides& o) { o.context = "x"; }),
            "kubeconfig config, --context: context \"x\" does not exist");
  EXPECT_EQ(with([](Overrides& o) { o.context = "no-c"; }),
            "kubeconfig config, context \"no-c\": cluster \"x\" does not exist");
  EXPECT_EQ(with([](Overrides& o) { o.context = "no-u"; }),
            "kubeconfig config, context \"no-u\": user \"x\" does not exist");
  EXPECT_EQ(with([](Overrides& o) { o.cluster = "x"; }),
            "kubeconfig config, --cluster: cluster \"x\" does not exist");
  EXPECT_EQ(with([](Overrides& o) { o.cluster = "c", o.user = "x"; }),
            "kubeconfig config, --user: user \"x\" does not exist");
  EXPECT_EQ(error_of(load_file("current-context: gone")),
            "kubeconfig config, current-context: context \"gone\" does not exist");
}

TEST_F(LoadConfig, RefusesContradictionsAndWhatIsNotSupported) {
  const struct {
    std::string cluster;
    std::string user;
    std::string message;
  } kCases[] = {
      {"", "", "cluster \"c\": server: is missing"},
      {"server: 'ftp://x'", "", "cluster \"c\": server: must begin with https:// or http://"},
      {"server: 'https://me:pw@x'", "", "cluster \"c\": server: must not hold a user name or password"},
      {"server: 'https://x', proxy-url: 'http://p'", "", "cluster \"c\": proxy-url: is not supported yet"},
      {"server: 'https://x', certificate-authority: f, certificate-authority-data: QQ==", "",
       "cluster \"c\": certificate-authority and certificate-authority-data: only one of them is allowed"},
      {"server: 'https://x', certificate-authority-data: '?'", "",
       "cluster \"c\": certificate-authority-data: is not base64"},
      {"server: 'https://x', certificate-authority: gone", "",
       "cluster \"c\": certificate-authority: gone: No such file or directory"},
      {"server: 'https://x', certificate-authority: empty", "",
       "cluster \"c\": certificate-authority: is empty"},
      {"server: 'https://x', certificate-authority-data: QQ==, insecure-skip-tls-verify: true", "",
       "cluster \"c\": insecure-skip-tls-verify: is not allowed together with a certificate authority"},
      {"server: 'https://x'", "token: a, username: b",
       "user \"u\": token and username: only one way to authenticate is allowed"},
      {"server: 'https://x'", "tokenFile: gone", "user \"u\": tokenFile: gone: No such file or directory"},
      {"server: 'https://x'", "token: \"a\\nb\"",
       "user \"u\": token: holds a line break or another control character"},
      {"server: 'https://x'",
       "client-certificate-data: QQ==", "user \"u\": client-key: is missing, client-certificate needs it"},
      {"server: 'https://x'", "client-certificate-data: QQ==, client-certificate: f",
       "user \"u\": client-certificate and client-certificate-data: only one of them is allowed"},
      {"server: 'https://x'",
       "client-certificate-data: YnJva2Vu, client-key-data: Qg==", "user \"u\": no PEM"},
      {"server: 'https://x'", "auth-provider: {name: gcp}",
       "user \"u\": auth-provider \"gcp\": is not supported, use exec instead"},
      {"server: 'https://x'", "as-groups: [a]",
       "user \"u\": as: is missing, as-groups, as-uid and as-user-extra need it"},
      {"server: 'https://x'", "as: a, as-uid: b", "user \"u\": as-uid: is not supported yet"},
      {"server: 'https://x'", "as: a, as-user-extra: {a: [b]}",
       "user \"u\": as-user-extra: is not supported yet"},
      {"server: 'https://x'", "exec: {command: a, interactiveMode: Never}",
       "user \"u\": exec.apiVersion: must be client.authentication.k8s.io/v1 or v1beta1, is \"\""},
      {"server: 'https://x'", "exec: {apiVersion: client.authentication.k8s.io/v1beta1}",
       "user \"u\": exec.command: is missing"},
      {"server: 'https://x'", "exec: {apiVersion: client.authentication.k8s.io/v1, command: a}",
       "user \"u\": exec.interactiveMode: must be Never, IfAvailable or Always, is \"\""},
      {"server: 'https://x'",
       "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: a, env: [{name: a=b}]}",
       "user \"u\": exec.env: a variable has no usable name"},
  };
  folder_.write("empty", "");
  for (const auto& c : kCases) {
    const auto result = load_file("current-context: d\nclusters: [{name: c, cluster: {" + c.cluster +
                                  "}}]\nusers: [{name: u, user: {" + c.user +
                                  "}}]\ncontexts: [{name: d, context: {cluster: c, user: u}}]");
    EXPECT_THAT(error_of(result), StartsWith("kubeconfig config, context \"d\", ")) << c.message;
    EXPECT_THAT(error_of(result), EndsWith(c.message));
  }
}

TEST_F(LoadConfig, LetsAFlagForTrustReplaceTheOtherKinds) {
  const auto with = [](const std::string& cluster) {
    return "current-context: d\nclusters: [{name: c, cluster: {server: https://k, " + cluster +
           "}}]\ncontexts: [{name: d, context: {cluster: c}}]";
  };
  Overrides overrides;
  overrides.insecure_skip_tls_verify = true;
  ASSERT_TRUE(load_file(with("certificate-authority-data: QQ=="), overrides));
  EXPECT_TRUE(made_.back().insecure_skip_verify);
  EXPECT_EQ(made_.back().ca, "");
  overrides.insecure_skip_tls_verify = false;
  ASSERT_TRUE(load_file(with("insecure-skip-tls-verify: true"), overrides));
  EXPECT_FALSE(made_.back().insecure_skip_verify);
  overrides.insecure_skip_tls_verify.reset();
  overrides.certificate_authority = folder_.write("ca", "FLAG CA");
  ASSERT_TRUE(load_file(with("insecure-skip-tls-verify: true, certificate-authority-data: QQ=="), overrides));
  EXPECT_FALSE(made_.back().insecure_skip_verify);
  EXPECT_EQ(made_.back().ca, "FLAG CA");
}

}  // namespace
}  // namespace towline::kube
