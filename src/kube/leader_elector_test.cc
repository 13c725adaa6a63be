#include "kube/leader_elector.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "io/loop.h"
#include "kube/call.h"
#include "kube/events.h"
#include "kube/owner.h"
#include "kube/test_client.h"

namespace towline::kube {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

/// One Lease as the Kubernetes API keeps it: a write needs the version that was read.
class LeaseStore {
 public:
  std::optional<FakeAnswer> serve(const std::string& method, const std::string& target,
                                  const json::object& body) {
    ++requests;
    if (silent) return std::nullopt;
    if (refused != 0) return FakeAnswer{refused, R"({"kind":"Status","message":"leases is forbidden"})"};
    const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
    if (target != (method == "POST" ? leases : leases + "/agent-7-lock")) return FakeAnswer{404, "{}"};
    if (method == "GET") return exists ? FakeAnswer{200, json::serialize(lease)} : FakeAnswer{404, "{}"};
    if (method == "POST" && exists) return FakeAnswer{409, "{}"};
    if (method == "PUT" && text_at(body, {"metadata", "resourceVersion"}) != std::to_string(version)) {
      return FakeAnswer{409, "{}"};
    }
    exists = true;
    lease = body;
    lease["metadata"].as_object()["resourceVersion"] = std::to_string(++version);
    if (std::exchange(lose_answer, false)) return std::nullopt;
    return FakeAnswer{200, json::serialize(lease)};
  }
  std::string holder() const { return text_at(lease, {"spec", "holderIdentity"}); }

  json::object lease;
  bool exists = false;
  int version = 0;
  int requests = 0;
  int refused = 0;
  bool silent = false;
  bool lose_answer = false;
};

class LeaderElectorTest : public testing::Test {
 protected:
  struct Candidate {
    bool leads = false;
    int changes = 0;
    std::unique_ptr<LeaderElector> elector;
  };

  std::unique_ptr<Candidate> join(const std::string& identity, Client* client = nullptr,
                                  json::object owner = {}) {
    auto candidate = std::make_unique<Candidate>();
    candidate->elector = LeaderElector::start(
        loop_, client == nullptr ? client_ : *client,
        {.namespace_ = "ns", .name = "agent-7-lock", .identity = identity, .owner = std::move(owner)},
        [raw = candidate.get()](bool leads) {
          raw->leads = leads;
          ++raw->changes;
        },
        Logger::to_vector(&log_));
    settle();
    return candidate;
  }
  void settle() {
    while (loop_.poll() > 0) {
    }
  }
  /// Moves the clock in small steps; after each one at most one of the candidates leads.
  void pass(milliseconds time, std::initializer_list<Candidate*> candidates) {
    for (milliseconds gone{0}; gone < time; gone += milliseconds(250)) {
      clock_.advance(milliseconds(250));
      settle();
      int leaders = 0;
      for (const Candidate* each : candidates) leaders += each->leads ? 1 : 0;
      ASSERT_LE(leaders, 1);
    }
  }

  FakeClock clock_;
  io::Loop loop_{clock_};
  LeaseStore store_;
  std::vector<std::string> log_;
  FakeClient client_{loop_, [this](const auto& method, const auto& target, const auto& body) {
                       return store_.serve(method, target, body);
                     }};
};

TEST_F(LeaderElectorTest, TheFirstLeadsAndGoesOnLeading) {
  const auto one = join("one");
  EXPECT_TRUE(one->leads);
  const auto two = join("two");
  pass(seconds(60), {one.get(), two.get()});
  EXPECT_TRUE(one->leads);
  EXPECT_EQ(one->changes, 1);
  EXPECT_EQ(store_.holder(), "one");
  EXPECT_EQ(two->changes, 0);
}

TEST_F(LeaderElectorTest, ALeaderThatVanishesIsReplacedWhenItsLeaseHasRunOut) {
  auto one = join("one");
  const auto two = join("two");
  one.reset();
  pass(seconds(14), {two.get()});
  EXPECT_FALSE(two->leads);
  pass(seconds(6), {two.get()});
  EXPECT_TRUE(two->leads);
  EXPECT_EQ(find(store_.lease, {"spec", "leaseTransitions"})->as_int64(), 1);
}

TEST_F(LeaderElectorTest, ALeaderThatStopsGivesTheLeaseBack) {
  auto one = join("one");
  const auto two = join("two");
  bool stopped = false;
  one->elector->stop([&] { stopped = true; });
  EXPECT_FALSE(one->leads);
  settle();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(store_.holder(), "");
  pass(seconds(4), {one.get(), two.get()});
  EXPECT_TRUE(two->leads);
}

TEST_F(LeaderElectorTest, StoppingDoesNotWaitForASilentApi) {
  const auto one = join("one");
  bool stopped = false;
  store_.silent = true;
  one->elector->stop([&] { stopped = true; });
  pass(seconds(3), {one.get()});
  EXPECT_TRUE(stopped);
}

TEST_F(LeaderElectorTest, ALeaderThatCannotRenewStepsDownBeforeAnotherLeads) {
  bool cut = false;
  FakeClient unreliable(loop_, [&](const auto& method, const auto& target, const auto& body) {
    return cut ? std::nullopt : store_.serve(method, target, body);
  });
  const auto one = join("one", &unreliable);
  const auto two = join("two");
  cut = true;
  pass(seconds(30), {one.get(), two.get()});
  EXPECT_FALSE(one->leads);
  EXPECT_TRUE(two->leads);
  cut = false;
  pass(seconds(30), {one.get(), two.get()});
  EXPECT_TRUE(two->leads);
}

TEST_F(LeaderElectorTest, AnAnswerThatGotLostCostsNothing) {
  const auto one = join("one");
  store_.lose_answer = true;
  pass(seconds(30), {one.get()});
  EXPECT_TRUE(one->leads);
  EXPECT_EQ(one->changes, 1);
}

TEST_F(LeaderElectorTest, ALeaseThatSomebodyDeletesIsMadeAgain) {
  const auto one = join("one");
  store_.exists = false;
  store_.lease = {};
  pass(seconds(9), {one.get()});
  EXPECT_EQ(store_.holder(), "one");
  EXPECT_EQ(one->changes, 1);
}

TEST_F(LeaderElectorTest, OneWhoseLeaseWasTakenStepsDown) {
  const auto one = join("one");
  store_.lease["spec"].as_object()["holderIdentity"] = "somebody";
  store_.lease["metadata"].as_object()["resourceVersion"] = std::to_string(++store_.version);
  pass(seconds(8), {one.get()});
  EXPECT_FALSE(one->leads);
}

TEST_F(LeaderElectorTest, AMissingPermissionIsSaidOnce) {
  store_.refused = 403;
  const auto one = join("one");
  pass(seconds(30), {one.get()});
  EXPECT_FALSE(one->leads);
  ASSERT_EQ(log_.size(), 1U);
  EXPECT_THAT(log_[0], HasSubstr("leases is forbidden"));
  EXPECT_GT(store_.requests, 5);
}

TEST_F(LeaderElectorTest, AnAnswerThatIsNoLeaseIsSaidAndHurtsNobody) {
  for (const char* answer : {R"({})", R"({"metadata":7})"}) {
    log_.clear();
    FakeClient odd(loop_, [&](const auto&, const auto&, const auto&) { return FakeAnswer{200, answer}; });
    const auto one = join("one", &odd);
    pass(seconds(9), {one.get()});
    EXPECT_FALSE(one->leads) << answer;
    ASSERT_EQ(log_.size(), 1U);
    EXPECT_THAT(log_[0], HasSubstr("something else than a Lease"));
  }
}

TEST_F(LeaderElectorTest, ALeaseWithAnOddSpecIsTakenOver) {
  FakeClient odd(loop_, [&](const auto&, const auto&, const auto&) {
    return FakeAnswer{200, R"({"metadata":{},"spec":[]})"};
  });
  EXPECT_TRUE(join("one", &odd)->leads);
}

TEST_F(LeaderElectorTest, TheLeaseBelongsToWhatItWasMadeFor) {
  const auto one = join("one", nullptr, {{"kind", "Deployment"}, {"uid", "u"}});
  const json::value* owners = find(store_.lease, {"metadata", "ownerReferences"});
  ASSERT_NE(owners, nullptr);
  EXPECT_EQ(json::serialize(*owners), R"([{"kind":"Deployment","uid":"u"}])");
}

class OwnerTest : public testing::Test {
 protected:
  std::string owner_of(std::map<std::string, std::string> objects) {
    FakeClient client(loop_, [&](const auto&, const std::string& target, const auto&) {
      const auto found = objects.find(target);
      return found == objects.end() ? FakeAnswer{403, R"({"message":"no"})"} : FakeAnswer{200, found->second};
    });
    std::string text = "never answered";
    const auto search =
        find_owner(loop_, client, "ns", "p", [&](json::object owner) { text = json::serialize(owner); });
    while (loop_.poll() > 0) {
    }
    return text;
  }
  static std::string owned_by(const std::string& kind, const std::string& name) {
    return R"({"metadata":{"ownerReferences":[{"kind":"Other","controller":false},{"apiVersion":"apps/v1","kind":")" +
           kind + R"(","name":")" + name + R"(","uid":"u-)" + name + R"(","controller":true}]}})";
  }

  FakeClock clock_;
  io::Loop loop_{clock_};
};

TEST_F(OwnerTest, IsTheDeploymentOfAPodsReplicaSet) {
  EXPECT_EQ(owner_of({{"/api/v1/namespaces/ns/pods/p", owned_by("ReplicaSet", "rs")},
                      {"/apis/apps/v1/namespaces/ns/replicasets/rs", owned_by("Deployment", "d")}}),
            R"({"apiVersion":"apps/v1","kind":"Deployment","name":"d","uid":"u-d"})");
}
TEST_F(OwnerTest, IsTheReplicaSetWhereThatMayNotBeRead) {
  EXPECT_THAT(owner_of({{"/api/v1/namespaces/ns/pods/p", owned_by("ReplicaSet", "rs")}}), HasSubstr("u-rs"));
}
TEST_F(OwnerTest, IsNobodyForAPodAloneAndForOneThatMayNotBeRead) {
  EXPECT_EQ(owner_of({{"/api/v1/namespaces/ns/pods/p", R"({"metadata":{}})"}}), "{}");
  EXPECT_EQ(owner_of({}), "{}");
}

TEST(EventTest, IsRecordedInItsNamespace) {
  FakeClock clock;
  io::Loop loop(clock);
  json::object sent;
  std::string where;
  FakeClient client(loop, [&](const auto& method, const auto& target, const auto& body) {
    where = method + " " + target;
    sent = body;
    return FakeAnswer{201, "{}"};
  });
  const auto operation = record_event(loop, client,
                                      {.namespace_ = "ns",
                                       .regarding = {{"kind", "Deployment"}, {"name", "d"}},
                                       .reason = "R",
                                       .message = "m"},
                                      {});
  while (loop.poll() > 0) {
  }
  EXPECT_EQ(where, "POST /api/v1/namespaces/ns/events");
  EXPECT_EQ(text_at(sent, {"involvedObject", "name"}), "d");
  EXPECT_EQ(text_at(sent, {"involvedObject", "namespace"}), "ns");
  EXPECT_EQ(text_at(sent, {"lastTimestamp"}), "1970-01-01T00:00:00Z");
}

}  // namespace
}  // namespace towline::kube
