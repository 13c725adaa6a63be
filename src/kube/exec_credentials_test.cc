#include "kube/exec_credentials.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <signal.h>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "io/loop.h"
#include "kube/environment.h"
#include "kube/test_config.h"

namespace towline::kube {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

/// Credentials from a shell script that counts its runs in a file.
class ExecCredentialsTest : public testing::Test {
 protected:
  /// `body` prints the credential; $N is the number of the run.
  void use(const std::string& body, const std::string& more = "") {
    folder_.write("runs", "");
    folder_.script("plugin", "echo run >> " + folder_.path("runs") + "\nN=$(grep -c run " +
                                 folder_.path("runs") + ")\n" + body);
    folder_.write("ca.pem", "THE CA");
    Overrides overrides;
    overrides.kubeconfig = folder_.write("config", R"(
current-context: d
clusters:
- name: c
  cluster:
    server: https://k:6443
    certificate-authority: ca.pem
    extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: ./plugin
)" + more + R"(
contexts:
- name: d
  context: {cluster: c, user: u}
)");
    Environment environment = process_environment();
    environment.make_tls =
        [this](const io::TlsClientOptions& options) -> Result<std::shared_ptr<io::TlsClientContext>> {
      if (options.identity.certificate_chain == "broken") return fail(Code::kInvalidArgument, "no PEM");
      made_.push_back(options);
      return std::make_shared<FakeTls>();
    };
    auto config = load_config(overrides, workers_, environment);
    ASSERT_TRUE(config) << config.error().to_string();
    credentials_ = config->credentials;
  }

  static std::string print(const std::string& status) {
    return "cat <<END\n{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
           "\"status\":{" +
           status + "}}\nEND\n";
  }

  static std::string text(const Result<Authorization>& answer) {
    return answer ? answer->header.reveal() : "error: " + answer.error().message();
  }

  std::string header() {
    std::optional<std::string> answer;
    credentials_->authorization(loop_, [&](Result<Authorization> value) {
      answer = text(value);
      loop_.stop();
    });
    loop_.poll();  // makes the loop ready to run again
    while (!answer) loop_.run();
    return *answer;
  }

  std::size_t runs() {
    const std::string lines = folder_.read("runs");
    return static_cast<std::size_t>(std::ranges::count(lines, '\n'));
  }

  TestFolder folder_;
  FakeClock clock_;
  io::Loop loop_{clock_};
  std::vector<io::TlsClientOptions> made_;
  io::WorkerPool workers_{2};
  std::shared_ptr<Credentials> credentials_;
};

TEST_F(ExecCredentialsTest, RunOnceWhileTheirTokenIsGood) {
  use(print(R"("token":"t$N")"));
  EXPECT_EQ(runs(), 0u);
  EXPECT_EQ(header(), "Bearer t1");
  clock_.advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(header(), "Bearer t1");
  EXPECT_EQ(runs(), 1u);
}

TEST_F(ExecCredentialsTest, AnswerFromInsideTheCallWhenTheyKnow) {
  use(print(R"("token":"t$N")"));
  EXPECT_EQ(header(), "Bearer t1");
  std::string at_once;
  credentials_->authorization(loop_, [&](Result<Authorization> value) { at_once = text(value); });
  EXPECT_EQ(at_once, "Bearer t1");
}

TEST_F(ExecCredentialsTest, RunAgainTenSecondsBeforeExpiry) {
  use(print(R"("token":"t$N","expirationTimestamp":"1970-01-01T0$N:00:00Z")"));
  EXPECT_EQ(header(), "Bearer t1");
  clock_.advance(seconds(3600 - 11));
  EXPECT_EQ(header(), "Bearer t1");
  clock_.advance(seconds(1));
  EXPECT_EQ(header(), "Bearer t2");
  clock_.advance(seconds(3600));
  EXPECT_EQ(header(), "Bearer t3");
  EXPECT_EQ(runs(), 3u);
}

TEST_F(ExecCredentialsTest, RunAgainWhenRefusedButNotMoreOftenThanEveryFiveSeconds) {
  use(print(R"("token":"t$N")"));
  EXPECT_EQ(header(), "Bearer t1");
  credentials_->invalidate();
  clock_.advance(seconds(4));
  EXPECT_EQ(header(), "Bearer t1");
  clock_.advance(seconds(1));
  EXPECT_EQ(header(), "Bearer t2");
  clock_.advance(seconds(60));
  EXPECT_EQ(header(), "Bearer t2");
  credentials_->invalidate();
  EXPECT_EQ(header(), "Bearer t3");
}

TEST_F(ExecCredentialsTest, DoNotRunForEachRequestWhenTheTokenIsBornExpired) {
  use(print(R"("token":"t$N","expirationTimestamp":"1970-01-01T00:00:05Z")"));
  EXPECT_EQ(header(), "Bearer t1");
  EXPECT_EQ(header(), "Bearer t1");
  clock_.advance(seconds(5));
  EXPECT_EQ(header(), "Bearer t2");
}

TEST_F(ExecCredentialsTest, StandByAnErrorForFiveSeconds) {
  use("[ $N = 1 ] && { echo log in first >&2; exit 1; }\n" + print(R"("token":"t$N")"));
  const std::string error = header();
  EXPECT_EQ(error, "error: kubeconfig " + folder_.path("config") + ", context \"d\", user \"u\": exec " +
                       folder_.path("plugin") + ": exit status 1: log in first");
  EXPECT_EQ(header(), error);
  EXPECT_EQ(runs(), 1u);
  clock_.advance(seconds(5));
  EXPECT_EQ(header(), "Bearer t2");
}

TEST_F(ExecCredentialsTest, RefuseATokenThatIsNotFitForAHeader) {
  use(print(R"("token":"a\\nb")"));
  EXPECT_THAT(header(), testing::EndsWith(": token: holds a line break or another control character"));
}

TEST_F(ExecCredentialsTest, ShareOneRunAmongAllWhoAsk) {
  // The run ends only when all have asked.
  use("while [ ! -e " + folder_.path("go") + " ]; do :; done\n" + print(R"("token":"t$N")"));
  SystemClock clock;
  io::LoopGroup loops(2, clock);
  std::vector<std::string> answers(20);
  std::atomic<std::size_t> asked{0};
  std::atomic<std::size_t> answered{0};
  std::atomic<bool> right_loop{true};
  for (std::size_t i = 0; i < answers.size(); ++i) {
    io::Loop& loop = loops.at(i % 2);
    loop.post([&, i] {
      credentials_->authorization(loop, [&, i](Result<Authorization> value) {
        if (!loop.on_loop()) right_loop = false;
        answers[i] = text(value);
        ++answered;
        answered.notify_all();
      });
      if (++asked == answers.size()) folder_.write("go", "");
    });
  }
  for (std::size_t n = answered; n != answers.size(); n = answered) answered.wait(n);
  EXPECT_THAT(answers, testing::Each("Bearer t1"));
  EXPECT_TRUE(right_loop);
  EXPECT_EQ(runs(), 1u);
}

TEST_F(ExecCredentialsTest, GiveACertificateThatTlsUses) {
  use("C=cert$N; [ $N = 2 ] && C=broken\n" +
      print(R"("clientCertificateData":"$C","clientKeyData":"key$N")"));
  const auto before = credentials_->tls().value();
  EXPECT_TRUE(made_.back().identity.certificate_chain.empty());
  EXPECT_EQ(made_.back().ca, "THE CA");
  EXPECT_EQ(header(), "");
  const auto first = credentials_->tls().value();
  EXPECT_NE(first, before);
  EXPECT_EQ(made_.back().identity.certificate_chain, "cert1");
  EXPECT_EQ(made_.back().identity.private_key.reveal(), "key1");
  EXPECT_EQ(made_.back().ca, "THE CA");
  EXPECT_EQ(credentials_->tls().value(), first);

  credentials_->invalidate();
  clock_.advance(seconds(5));
  EXPECT_THAT(header(), HasSubstr("user \"u\": no PEM"));
  EXPECT_EQ(credentials_->tls().value(), first);
  clock_.advance(seconds(5));
  EXPECT_EQ(header(), "");
  EXPECT_NE(credentials_->tls().value(), first);
  EXPECT_EQ(made_.back().identity.certificate_chain, "cert3");
}

TEST_F(ExecCredentialsTest, TellThePluginOfTheClusterWhenItAsks) {
  const std::string body =
      "echo \"$KUBERNETES_EXEC_INFO\" > " + folder_.path("info") + "\n" + print(R"("token":"t")");
  use(body);
  EXPECT_EQ(header(), "Bearer t");
  EXPECT_EQ(folder_.read("info"),
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1",)"
            R"("spec":{"interactive":false}})"
            "\n");
  use(body, "      provideClusterInfo: true\n");
  EXPECT_EQ(header(), "Bearer t");
  EXPECT_THAT(folder_.read("info"),
              HasSubstr(R"("cluster":{"server":"https://k:6443","certificate-authority-data":"VEhFIENB",)"
                        R"("config":{"audience":"x"}}})"));
}

TEST_F(ExecCredentialsTest, EndTheirRunWithThemselvesAndAnswerNobody) {
  use("echo $$ > " + folder_.path("pid.new") + "; mv " + folder_.path("pid.new") + " " + folder_.path("pid") +
      "; sleep 60; sleep 60\n");
  bool answered = false;
  credentials_->authorization(loop_, [&](Result<Authorization>) { answered = true; });
  while (!std::filesystem::exists(folder_.path("pid"))) std::this_thread::yield();
  const pid_t pid = std::stoi(folder_.read("pid"));
  credentials_.reset();
  while (::kill(pid, 0) == 0) std::this_thread::yield();
  loop_.poll();
  EXPECT_FALSE(answered);
}

TEST_F(ExecCredentialsTest, AreNotAskedWhenSomethingElseSaysWhoTheUserIs) {
  use(print(R"("token":"t$N")"));
  Overrides overrides;
  overrides.kubeconfig = folder_.path("config");
  overrides.token = "mine";
  Environment environment;
  environment.make_tls = [](const io::TlsClientOptions&) -> Result<std::shared_ptr<io::TlsClientContext>> {
    return std::make_shared<FakeTls>();
  };
  const auto config = load_config(overrides, workers_, environment);
  ASSERT_TRUE(config) << config.error().to_string();
  credentials_ = config->credentials;
  EXPECT_EQ(header(), "Bearer mine");
  EXPECT_EQ(runs(), 0u);
}

TEST_F(ExecCredentialsTest, RefuseAPluginThatNeedsATerminal) {
  use("", "      interactiveMode: IfAvailable\n");
  std::string text = folder_.read("config");
  text.replace(text.find("IfAvailable"), 11, "Always");
  Overrides overrides;
  overrides.kubeconfig = folder_.write("config", text);
  Environment environment;
  environment.make_tls = [](const io::TlsClientOptions&) -> Result<std::shared_ptr<io::TlsClientContext>> {
    return std::make_shared<FakeTls>();
  };
  const auto config = load_config(overrides, workers_, environment);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message(), HasSubstr("user \"u\": exec.interactiveMode: Always needs a person"));
}

}  // namespace
}  // namespace towline::kube
