#include "kube/exec_plugin.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/process.h"
#include "kube/rfc3339.h"
#include "kube/test_files.h"

namespace towline::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kV1 = "client.authentication.k8s.io/v1";

TEST(Rfc3339, ReadsDates) {
  const struct {
    std::string text;
    std::int64_t seconds;
  } kCases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2001-09-09T01:46:40Z", 1'000'000'000},
      {"2001-09-09T01:46:40.123456789Z", 1'000'000'000},
      {"2001-09-09t03:46:40+02:00", 1'000'000'000},
      {"2001-09-08 20:16:40-05:30", 1'000'000'000},
      {"2024-02-29T00:00:00Z", 1'709'164'800},
      {"1969-12-31T23:59:59Z", -1},
  };
  for (const auto& c : kCases) {
    const auto time = parse_rfc3339(c.text);
    ASSERT_TRUE(time.has_value()) << c.text;
    EXPECT_EQ(*time, Clock::WallTime(seconds(c.seconds))) << c.text;
  }
  EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59Z"), Clock::WallTime::max());
  EXPECT_EQ(parse_rfc3339("0001-01-01T00:00:00Z"), Clock::WallTime::min());
}

TEST(Rfc3339, RefusesWhatIsNoDate) {
  for (const std::string text :
       {"", "2001", "2001-09-09", "2001-09-09T01:46:40", "2001-13-09T01:46:40Z", "2023-02-29T00:00:00Z",
        "2001-09-09T24:00:00Z", "2001-09-09T01:46:40.Z", "2001-09-09T01:46:40Zx", "2001-09-09T01:46:40+1:00",
        "2001-09-09T01:46:40+", "2001/09/09T01:46:40Z", "-001-09-09T01:46:40Z", "20a1-09-09T01:46:40Z"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

TEST(ExecInfo, TellsWhatThePluginMayKnow) {
  EXPECT_EQ(exec_info(kV1, nullptr),
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
            R"("spec":{"interactive":false}})");
  ExecCluster cluster{"https://k:6443", "sni", "CA", R"({"audience":[1]})", false};
  EXPECT_EQ(exec_info(kV1, &cluster),
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",)"
            R"("spec":{"interactive":false,"cluster":{"server":"https://k:6443","tls-server-name":"sni",)"
            R"("certificate-authority-data":"Q0E=","config":{"audience":[1]}}}})");
  cluster = ExecCluster{"https://k", "", "", "", true};
  EXPECT_THAT(exec_info(kV1, &cluster),
              HasSubstr(R"("cluster":{"server":"https://k","insecure-skip-tls-verify":true}})"));
}

std::string output(const std::string& status) {
  return std::string(R"({"kind":"ExecCredential","apiVersion":")") + kV1 + R"(","status":)" + status + "}";
}

TEST(ExecCredential, ReadsTokenCertificateAndExpiry) {
  const auto token = parse_exec_credential(
      output(R"({"token":"t","expirationTimestamp":"1970-01-01T00:01:00Z","clientKeyData":null})"), kV1);
  ASSERT_TRUE(token) << token.error().to_string();
  EXPECT_EQ(token->token.reveal(), "t");
  EXPECT_FALSE(token->identity);
  EXPECT_EQ(token->expires, Clock::WallTime(seconds(60)));

  const auto pair =
      parse_exec_credential(output(R"({"clientCertificateData":"C","clientKeyData":"K"})") + "\n", kV1);
  ASSERT_TRUE(pair) << pair.error().to_string();
  EXPECT_TRUE(pair->token.empty());
  ASSERT_TRUE(pair->identity);
  EXPECT_EQ(pair->identity->certificate_chain, "C");
  EXPECT_EQ(pair->identity->private_key.reveal(), "K");
  EXPECT_FALSE(pair->expires);
}

TEST(ExecCredential, SaysWhatIsWrongWithoutQuoting) {
  const struct {
    std::string text;
    std::string message;
  } kCases[] = {
      {"", "its output is not JSON"},
      {"hunter2", "its output is not JSON"},
      {output(R"({"token":"hunter2"})") + "x", "its output is not JSON"},
      {std::string(1000, '['), "its output is not JSON"},
      {"[\"hunter2\"]", "its output is not a JSON object"},
      {R"({"token":"hunter2"})", "its output is not an ExecCredential"},
      {R"({"kind":["hunter2"]})", "its output is not an ExecCredential"},
      {R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"})",
       "its output is not of the apiVersion client.authentication.k8s.io/v1 that the kubeconfig names"},
      {output("null"), "its output has no status"},
      {output("[]"), "its output has no status"},
      {output("{}"), "it gave neither a token nor a certificate"},
      {output(R"({"token":7})"), "a field of its status is not text"},
      {output(R"({"token":"hunter2","clientKeyData":"hunter2"})"), "it gave only one of certificate and key"},
      {output(R"({"token":"hunter2","expirationTimestamp":"hunter2"})"),
       "expirationTimestamp is not a date of RFC 3339"},
  };
  for (const auto& c : kCases) {
    const auto result = parse_exec_credential(c.text, kV1);
    ASSERT_FALSE(result) << c.text;
    EXPECT_EQ(result.error().message(), c.message);
  }
}

TEST(ErrorExcerpt, KeepsMessagesAndTakesSecretsOut) {
  const std::vector<Secret> secrets{Secret("hunter22"), Secret("a")};
  const struct {
    std::string text;
    std::string excerpt;
  } kCases[] = {
      {"", ""},
      {"  cannot log in:\r\n\ttry again\n", "cannot log in: try again"},
      {"\x1b[31mred\x1b[0m", "[31mred [0m"},
      {"password hunter22.", "password [redacted]."},
      {"a failed", "a failed"},
      {"token eyJhbGciOiJSUzI1NiIsImtpZCI6.eyJpc3MiOiJodHRwczovL2s4.c2lnbmF0dXJlMDEyMzQ1Njc4",
       "token [redacted].[redacted].[redacted]"},
      {"k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8", "k8s-aws-v1.[redacted]"},
      {"key 0123456789abcdef0123456789ABCDEF", "key [redacted]"},
      {"error at https://sts.eu-west-1.amazonaws.com/, see /home/me/.aws/config",
       "error at https://sts.eu-west-1.amazonaws.com/, see /home/me/.aws/config"},
      {"id 123e4567-e89b-12d3-a456-426614174000", "id 123e4567-e89b-12d3-a456-426614174000"},
      {"läuft nicht", "läuft nicht"},
  };
  for (const auto& c : kCases) EXPECT_EQ(error_excerpt(c.text, secrets), c.excerpt);
  std::string long_text;
  while (long_text.size() < 2000) long_text += "öde ";
  const std::string cut = error_excerpt(long_text + "end", {});
  EXPECT_LE(cut.size(), 500u);
  EXPECT_GE(cut.size(), 496u);
  EXPECT_THAT(cut, StartsWith("..."));
  EXPECT_THAT(cut, EndsWith("öde end"));
  EXPECT_NE(static_cast<unsigned char>(cut[3]) & 0xc0, 0x80);
}

/// A shell script as a plugin.
class ExecPluginRun : public testing::Test {
 protected:
  ExecPluginRun() {
    plugin_.entry.api_version = kV1;
    plugin_.where = "user \"u\"";
    plugin_.environment["PATH"] = "/usr/bin:/bin";
  }
  void use(const std::string& body) { plugin_.entry.command = folder_.script("plugin", body); }
  Result<ExecCredential> run() { return run_exec_plugin(plugin_, nullptr, stop_.get_token()); }
  std::string error() {
    const auto result = run();
    if (result) return "no error";
    const std::string place = "user \"u\": exec " + plugin_.entry.command + ": ";
    EXPECT_THAT(result.error().message(), StartsWith(place));
    return result.error().message().substr(place.size());
  }
  static std::string print(const std::string& text) { return "cat <<'END'\n" + text + "\nEND\n"; }

  TestFolder folder_;
  ExecPlugin plugin_;
  std::stop_source stop_;
};

TEST_F(ExecPluginRun, GetsArgumentsAndEnvironmentAndNothingElse) {
  use("cat > " + folder_.path("stdin") + "\n" +                                 //
      "printf '%s|' \"$@\" > " + folder_.path("args") + "\n" +                  //
      "echo \"$A $B $KUBERNETES_EXEC_INFO\" > " + folder_.path("env") + "\n" +  //
      "ls /proc/self/fd | wc -l > " + folder_.path("fds") + "\n" +              //
      print(output(R"({"token":"t"})")));
  plugin_.entry.args = {"get token", "$HOME", "'"};
  plugin_.environment["A"] = "process";
  plugin_.environment["B"] = "process";
  plugin_.entry.env.emplace_back("B", Secret("entry"));
  const auto result = run();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->token.reveal(), "t");
  EXPECT_EQ(folder_.read("stdin"), "");
  EXPECT_EQ(folder_.read("args"), "get token|$HOME|'|");
  EXPECT_EQ(folder_.read("env"), "process entry " + exec_info(kV1, nullptr) + "\n");
  // Standard input, output and error, and the folder that ls reads.
  EXPECT_EQ(folder_.read("fds"), "4\n");
}

TEST_F(ExecPluginRun, IsLookedForInThePath) {
  use(print(output(R"({"token":"t"})")));
  plugin_.entry.command = "plugin";
  EXPECT_EQ(error(), "no such executable in $PATH");
  plugin_.entry.install_hint = "brew install\n plugin";
  EXPECT_EQ(error(), "no such executable in $PATH; brew install plugin");
  plugin_.environment["PATH"] = "/nowhere::" + folder_.path("") + ":/usr/bin:/bin";
  EXPECT_TRUE(run().has_value());
  plugin_.environment.erase("PATH");
  EXPECT_EQ(error(), "no such executable in $PATH; brew install plugin");
  plugin_.entry.command = folder_.write("plain", "not executable");
  plugin_.entry.install_hint.clear();
  EXPECT_EQ(error(), "no such executable");
}

TEST_F(ExecPluginRun, SaysHowItFailed) {
  use("echo 'no session, log in' >&2; exit 3\n");
  EXPECT_EQ(error(), "exit status 3: no session, log in");
  use("kill -9 $$\n");
  EXPECT_EQ(error(), "killed by signal 9");
  use("echo warning: old >&2; echo hello\n");
  EXPECT_EQ(error(), "its output is not JSON: warning: old");
  use("exit 0\n");
  EXPECT_EQ(error(), "its output is not JSON");
  plugin_.entry.command = folder_.write("bad", "#!/nowhere/sh\n");
  std::filesystem::permissions(plugin_.entry.command, std::filesystem::perms::owner_all);
  EXPECT_EQ(error(), "start: No such file or directory");
}

TEST_F(ExecPluginRun, KeepsItsSecretsOutOfErrors) {
  plugin_.entry.env.emplace_back("PASSWORD", Secret("correct horse"));
  use("echo \"tried $PASSWORD and hunter22\" >&2\n" + print(output(R"({"token":"hunter22"})")) + "exit 1\n");
  EXPECT_EQ(error(), "exit status 1: tried [redacted] and [redacted]");
}

TEST_F(ExecPluginRun, EndsAtItsLimits) {
  plugin_.limit = milliseconds(100);
  use("echo waiting for you >&2; sleep 60; sleep 60\n");
  EXPECT_EQ(error(), "no end after 100 ms, killed: waiting for you");
  plugin_.limit = seconds(60);
  use("exec cat /dev/zero\n");
  EXPECT_EQ(error(), "more output than 1 MiB, killed");
  use("head -c 10000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo the end >&2; exit 1\n");
  EXPECT_THAT(error(), EndsWith("the end"));
  stop_.request_stop();
  use("sleep 60; sleep 60\n");
  EXPECT_EQ(error(), "stopped");
}

TEST_F(ExecPluginRun, DoesNotWaitForWhatItLeavesBehind) {
  use("sleep 5 &\n" + print(output(R"({"token":"t"})")));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(run().has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
}

TEST_F(ExecPluginRun, StopsFromAnotherThread) {
  use("echo > " + folder_.path("started") + "; sleep 60; sleep 60\n");
  const std::jthread stopper([&] {
    while (!std::filesystem::exists(folder_.path("started"))) std::this_thread::yield();
    stop_.request_stop();
  });
  EXPECT_EQ(error(), "stopped");
}

}  // namespace
}  // namespace towline::kube
