#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "io/loop.h"
#include "io/tls.h"
#include "kube/config.h"
#include "kube/environment.h"
#include "kube/test_files.h"

namespace towline::kube {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class FakeTls final : public io::TlsClientContext {};

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

/// A configuration from files in a folder, with TLS that only remembers what it was asked for.
class LoadConfig : public testing::Test {
 protected:
  LoadConfig() {
    environment_.variables["HOME"] = folder_.path("home");
    environment_.service_account_folder = folder_.path("sa");
    environment_.make_tls =
        [this](const io::TlsClientOptions& options) -> Result<std::shared_ptr<io::TlsClientContext>> {
      if (options.identity.certificate_chain == "broken") return fail(Code::kInvalidArgument, "no PEM");
      made_.push_back(options);
      return std::make_shared<FakeTls>();
    };
  }

  Result<ClusterConfig> load(const Overrides& overrides = {}) {
    return load_config(overrides, workers_, environment_);
  }
  Result<ClusterConfig> load_file(const std::string& text, Overrides overrides = {}) {
    overrides.kubeconfig = folder_.write("config", text);
    return load(overrides);
  }
  std::string error_of(const Result<ClusterConfig>& result) {
    if (result) return "no error";
    std::string text = result.error().message();
    for (auto at = text.find(folder_.path("")); at != std::string::npos; at = text.find(folder_.path(""))) {
      text.erase(at, folder_.path("").size());
    }
    return text;
  }
  std::string header(Credentials& credentials) {
    std::optional<Result<Authorization>> answer;
    credentials.authorization(loop_, [&](Result<Authorization> value) { answer = std::move(value); });
    if (!answer) return "no answer";
    return *answer ? (*answer)->header.reveal() : "error: " + answer->error().message();
  }
  std::string header(const Result<ClusterConfig>& config) {
    return config ? header(*config->credentials) : error_of(config);
  }
  void enter_pod() {
    environment_.variables["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
    environment_.variables["KUBERNETES_SERVICE_PORT"] = "443";
    folder_.write("sa/token", "pod-1\n");
    folder_.write("sa/ca.crt", "POD CA");
    folder_.write("sa/namespace", "pod-ns\n");
  }

  TestFolder folder_;
  Environment environment_;
  std::vector<io::TlsClientOptions> made_;
  FakeClock clock_;
  io::Loop loop_{clock_};
  io::WorkerPool workers_{1};
};

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

TEST_F(LoadConfig, ReadsTheTokenAgainAfterAMinuteOrA401) {
  enter_pod();
  const auto config = load();
  ASSERT_TRUE(config);
  EXPECT_EQ(header(config), "Bearer pod-1");
  folder_.write("sa/token", "pod-2");
  clock_.advance(seconds(59));
  EXPECT_EQ(header(config), "Bearer pod-1");
  clock_.advance(seconds(1));
  EXPECT_EQ(header(config), "Bearer pod-2");
  folder_.write("sa/token", "pod-3");
  EXPECT_EQ(header(config), "Bearer pod-2");
  config->credentials->invalidate();
  EXPECT_EQ(header(config), "Bearer pod-3");
}

TEST_F(LoadConfig, KeepsTheTokenWhileItsFileIsAwayUnlessItWasRefused) {
  enter_pod();
  const auto config = load();
  ASSERT_TRUE(config);
  EXPECT_EQ(header(config), "Bearer pod-1");
  std::filesystem::remove(folder_.path("sa/token"));
  clock_.advance(seconds(60));
  EXPECT_EQ(header(config), "Bearer pod-1");
  config->credentials->invalidate();
  EXPECT_EQ(header(config), "error: token file: " + folder_.path("sa/token") + ": No such file or directory");
  folder_.write("sa/token", " \n");
  EXPECT_EQ(header(config), "error: token file " + folder_.path("sa/token") + ": is empty");
  folder_.write("sa/token", "pod-2");
  EXPECT_EQ(header(config), "Bearer pod-2");
}

TEST_F(LoadConfig, LetsTheTokenFileWinOverTheToken) {
  const auto with = [](const std::string& user) {
    return "users: [{name: u, user: " + user + "}]\ncurrent-context: d\n" +
           "clusters: [{name: c, cluster: {server: https://k}}]\n" +
           "contexts: [{name: d, context: {cluster: c, user: u}}]";
  };
  folder_.write("t", "from file");
  EXPECT_EQ(header(load_file(with("{token: inline, tokenFile: t}"))), "Bearer from file");
  EXPECT_EQ(header(load_file(with("{token: inline, tokenFile: missing}"))), "Bearer inline");
  EXPECT_EQ(header(load_file(with("{username: me, password: pw}"))), "Basic " + base64_encode("me:pw"));
  EXPECT_EQ(header(load_file(with("{}"))), "");
  Overrides overrides;
  overrides.token = "flag";
  EXPECT_EQ(header(load_file(with("{token: inline, tokenFile: t}"), overrides)), "Bearer flag");
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

TEST_F(LoadConfig, TakesCertificatesInlineAndFromFiles) {
  const auto with = [](const std::string& user) {
    return "current-context: d\nclusters: [{name: c, cluster: {server: https://k}}]\nusers: [{name: u, user: "
           "{" +
           user + "}}]\ncontexts: [{name: d, context: {cluster: c, user: u}}]";
  };
  // "CERT" and "KEY" in base64, one of them folded over two lines.
  ASSERT_TRUE(load_file(with("client-certificate-data: Q0VSVA==, client-key-data: \"S0\\nVZ\"")));
  EXPECT_EQ(made_.back().identity.certificate_chain, "CERT");
  EXPECT_EQ(made_.back().identity.private_key.reveal(), "KEY");

  Overrides overrides;
  overrides.client_certificate = folder_.write("flag.crt", "FLAG CERT");
  overrides.client_key = folder_.write("flag.key", "FLAG KEY");
  ASSERT_TRUE(load_file(with("client-certificate-data: Q0VSVA==, client-key-data: S0VZ"), overrides));
  EXPECT_EQ(made_.back().identity.certificate_chain, "FLAG CERT");
  EXPECT_EQ(made_.back().identity.private_key.reveal(), "FLAG KEY");
}

TEST_F(LoadConfig, MakesTlsAnewOnlyWhenAFileChanges) {
  folder_.write("ca", "CA 1");
  folder_.write("crt", "CERT 1");
  folder_.write("key", "KEY 1");
  const auto config = load_file(R"(
current-context: d
clusters: [{name: c, cluster: {server: https://k, certificate-authority: ca}}]
users: [{name: u, user: {client-certificate: crt, client-key: key}}]
contexts: [{name: d, context: {cluster: c, user: u}}]
)");
  ASSERT_TRUE(config) << config.error().to_string();
  const auto tls = [&] { return config->credentials->tls().value(); };
  const auto first = tls();
  EXPECT_EQ(tls(), first);
  EXPECT_EQ(made_.size(), 1u);
  folder_.write("key", "KEY 1");  // a new file with the same bytes
  EXPECT_EQ(tls(), first);

  folder_.write("key", "KEY 2");
  const auto second = tls();
  EXPECT_NE(second, first);
  EXPECT_EQ(made_.back().identity.private_key.reveal(), "KEY 2");
  folder_.write("ca", "CA 2");
  const auto third = tls();
  EXPECT_NE(third, second);
  EXPECT_EQ(made_.back().ca, "CA 2");

  folder_.write("crt", "broken");
  EXPECT_EQ(tls(), third);
  std::filesystem::remove(folder_.path("crt"));
  EXPECT_EQ(tls(), third);
  folder_.write("crt", "CERT 2");
  EXPECT_NE(tls(), third);
  EXPECT_EQ(made_.back().identity.certificate_chain, "CERT 2");
}

TEST(LoadConfigWithTls, ShowsAClientCertificateOfTheKubeconfig) {
  const TestFolder folder;
  const auto ca = io::make_ca("test");
  ASSERT_TRUE(ca) << ca.error().to_string();
  const auto pair = io::make_server_certificate(*ca, {"me"}, std::chrono::hours(1));
  const auto other = io::make_server_certificate(*ca, {"me"}, std::chrono::hours(1));
  ASSERT_TRUE(pair && other);
  folder.write("ca.pem", ca->certificate_chain);
  folder.write("me.crt", pair->certificate_chain);
  folder.write("me.key", pair->private_key.reveal());
  Overrides overrides;
  overrides.kubeconfig = folder.write("config", R"(
current-context: d
clusters: [{name: c, cluster: {server: https://k, certificate-authority: ca.pem}}]
users: [{name: u, user: {client-certificate: me.crt, client-key: me.key}}]
contexts: [{name: d, context: {cluster: c, user: u}}]
)");
  io::WorkerPool workers(1);
  const auto config = load_config(overrides, workers);
  ASSERT_TRUE(config) << config.error().to_string();
  const auto first = config->credentials->tls();
  ASSERT_TRUE(first && *first != nullptr);
  // A rotation in two steps: in between the pair does not fit, and the old one is shown.
  folder.write("me.crt", other->certificate_chain);
  EXPECT_EQ(config->credentials->tls().value(), *first);
  folder.write("me.key", other->private_key.reveal());
  const auto second = config->credentials->tls();
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);

  folder.write("me.key", pair->private_key.reveal());
  const auto mismatch = load_config(overrides, workers);
  ASSERT_FALSE(mismatch);
  EXPECT_THAT(mismatch.error().message(), HasSubstr("context \"d\", user \"u\""));
  folder.write("ca.pem", "no certificate");
  const auto no_ca = load_config(overrides, workers);
  ASSERT_FALSE(no_ca);
  EXPECT_THAT(no_ca.error().message(), HasSubstr("cluster \"c\": certificate-authority"));
}

TEST(ProcessEnvironment, HoldsTheVariables) {
  ::setenv("TOWLINE_KUBE_TEST", "a=b", 1);
  EXPECT_EQ(process_environment().variable("TOWLINE_KUBE_TEST"), "a=b");
  EXPECT_EQ(process_environment().variable("TOWLINE_KUBE_TEST_UNSET"), "");
}

}  // namespace
}  // namespace towline::kube
