#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/test_config.h"

namespace towline::kube {
namespace {

using testing::StartsWith;

constexpr const char* kBase = R"(
current-context: dev
clusters:
- name: c
  cluster: {server: "https://k:6443/pre?x=y#f", tls-server-name: sni}
users:
- name: u
  user: {token: tok}
contexts:
- name: dev
  context: {cluster: c, user: u, namespace: ns}
)";

TEST_F(LoadConfig, TakesTheCurrentContext) {
  const auto config = load_file(kBase);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->server.authority(), "k:6443");
  EXPECT_EQ(config->server.target(), "/pre");
  EXPECT_EQ(config->tls_server_name, "sni");
  EXPECT_EQ(config->default_namespace, "ns");
  EXPECT_EQ(config->impersonate_user, "");
  EXPECT_EQ(config->origin, "kubeconfig " + folder_.path("config") + ", context \"dev\"");
  EXPECT_EQ(header(config), "Bearer tok");
}

TEST_F(LoadConfig, PrefersFlagThenEnvironmentThenPodThenHome) {
  const auto server = [&](const Overrides& overrides = {}) {
    const auto config = load(overrides);
    return config ? config->server.host : error_of(config);
  };
  const auto with_server = [](const std::string& name) {
    return "current-context: x\nclusters: [{name: x, cluster: {server: 'https://" + name +
           "'}}]\ncontexts: [{name: x, context: {cluster: x}}]";
  };
  EXPECT_EQ(server(),
            "no cluster is configured: kubeconfig home/.kube/config: missing or empty, and this is "
            "not a pod; give --kubeconfig or set $KUBECONFIG");
  folder_.write("home/.kube/config", with_server("home"));
  EXPECT_EQ(server(), "home");
  enter_pod();
  EXPECT_EQ(server(), "10.0.0.1");
  environment_.variables["KUBECONFIG"] =
      folder_.path("none") + "::" + folder_.write("env", with_server("env"));
  EXPECT_EQ(server(), "env");
  Overrides overrides;
  overrides.kubeconfig = folder_.write("flag", with_server("flag"));
  EXPECT_EQ(server(overrides), "flag");
  overrides.server = "https://server";
  EXPECT_EQ(server(overrides), "server");
  overrides.kubeconfig = folder_.path("none");
  EXPECT_EQ(server(overrides), "kubeconfig: none: No such file or directory");
  // As with kubectl a list of files that are not there is no configuration, and does not reach
  // ~/.kube/config.
  environment_.variables["KUBECONFIG"] = folder_.path("none");
  EXPECT_EQ(server(), "10.0.0.1");
  environment_.variables.erase("KUBERNETES_SERVICE_HOST");
  EXPECT_THAT(server(), StartsWith("no cluster is configured: kubeconfig none: missing or empty"));
}

TEST_F(LoadConfig, ReadsThePodsServiceAccount) {
  enter_pod();
  const auto config = load();
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->server.authority(), "10.0.0.1:443");
  EXPECT_EQ(config->server.scheme, "https");
  EXPECT_EQ(config->default_namespace, "pod-ns");
  EXPECT_EQ(config->origin, "in-cluster");
  EXPECT_EQ(header(config), "Bearer pod-1");
  ASSERT_EQ(made_.size(), 1u);
  EXPECT_EQ(made_[0].ca, "POD CA");

  environment_.variables["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  environment_.variables["POD_NAMESPACE"] = "other";
  const auto ipv6 = load();
  ASSERT_TRUE(ipv6) << ipv6.error().to_string();
  EXPECT_EQ(ipv6->server.host, "fd00::1");
  EXPECT_EQ(ipv6->server.authority(), "[fd00::1]:443");
  EXPECT_EQ(ipv6->default_namespace, "other");
}

TEST_F(LoadConfig, SaysWhatAPodLacks) {
  environment_.variables["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
  EXPECT_EQ(error_of(load()),
            "in-cluster: KUBERNETES_SERVICE_HOST is set, but KUBERNETES_SERVICE_PORT is not");
  environment_.variables["KUBERNETES_SERVICE_PORT"] = "443";
  EXPECT_EQ(error_of(load()), "in-cluster: certificate-authority: sa/ca.crt: No such file or directory");
  folder_.write("sa/ca.crt", "CA");
  EXPECT_EQ(error_of(load()), "in-cluster: tokenFile: sa/token: No such file or directory");
  folder_.write("sa/token", "t");
  EXPECT_EQ(error_of(load()), "no error");
  Overrides overrides;
  overrides.context = "dev";
  EXPECT_THAT(error_of(load(overrides)), StartsWith("in-cluster: --context, --cluster and --user"));
}

TEST_F(LoadConfig, LetsFlagsOverrideThePod) {
  enter_pod();
  Overrides overrides;
  overrides.server = "https://other:1";
  overrides.token = "mine";
  overrides.certificate_authority = folder_.write("ca", "OTHER CA");
  overrides.namespace_ = "n";
  const auto config = load(overrides);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->server.host, "other");
  EXPECT_EQ(header(config), "Bearer mine");
  EXPECT_EQ(config->default_namespace, "n");
  EXPECT_EQ(made_.back().ca, "OTHER CA");
}

TEST_F(LoadConfig, SendsNoCredentialsOverPlainHttp) {
  for (const std::string server : {"http://k:1", "k:1"}) {
    Overrides overrides;
    overrides.server = server;
    const auto config = load_file(kBase, overrides);
    ASSERT_TRUE(config) << config.error().to_string();
    EXPECT_EQ(config->server.scheme, "http");
    EXPECT_EQ(header(config), "");
    EXPECT_EQ(config->credentials->tls().value(), nullptr);
  }
}

TEST(ProcessEnvironment, HoldsTheVariables) {
  ::setenv("TOWLINE_KUBE_TEST", "a=b", 1);
  EXPECT_EQ(process_environment().variable("TOWLINE_KUBE_TEST"), "a=b");
  EXPECT_EQ(process_environment().variable("TOWLINE_KUBE_TEST_UNSET"), "");
}

}  // namespace
}  // namespace towline::kube
