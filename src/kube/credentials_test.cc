#include <chrono>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "kube/test_config.h"

namespace towline::kube {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

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

}  // namespace
}  // namespace towline::kube
