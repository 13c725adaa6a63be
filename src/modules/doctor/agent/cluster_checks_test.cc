#include "modules/doctor/agent/cluster_checks.h"

#include <set>
#include <string>
#include <vector>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "io/loop.h"
#include "kube/call.h"
#include "kube/test_client.h"

namespace towline::doctor {
namespace {

using kube::FakeAnswer;
using testing::AllOf;
using testing::HasSubstr;

/// A cluster in which the agent has the rights "verb group/resource".
class ClusterChecksTest : public testing::Test {
 protected:
  std::vector<Check> run(const std::string& namespace_ = "ns") {
    kube::FakeClient client(loop_, [this](const auto& method, const auto& target, const auto& body) {
      return serve(method, target, body);
    });
    const ClusterSide side{.problem = {},
                           .client = &client,
                           .address = "k:6443",
                           .credentials = "in-cluster",
                           .namespace_ = namespace_};
    std::vector<Check> found;
    const auto operation =
        check_cluster(loop_, side, [&](std::vector<Check> checks) { found = std::move(checks); });
    for (int i = 0; i < 100; ++i) loop_.poll();
    EXPECT_EQ(found.size(), 3U);
    found.resize(3);
    return found;
  }

  std::optional<FakeAnswer> serve(const std::string& method, const std::string& target,
                                  const boost::json::object& body) {
    if (broken != 0) return FakeAnswer{broken, R"({"message":"Unauthorized"})"};
    if (target == "/version") return FakeAnswer{200, R"({"gitVersion":"v1.33.1"})"};
    if (target == "/apis/source.toolkit.fluxcd.io") {
      if (!flux) return FakeAnswer{404, "404 page not found"};
      return FakeAnswer{200, R"({"preferredVersion":{"groupVersion":"source.toolkit.fluxcd.io/v1"}})"};
    }
    EXPECT_EQ(method + " " + target, "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    const std::string right = kube::text_at(body, {"spec", "resourceAttributes", "verb"}) + " " +
                              kube::text_at(body, {"spec", "resourceAttributes", "group"}) + "/" +
                              kube::text_at(body, {"spec", "resourceAttributes", "resource"});
    const bool allowed = rights.contains(right) || rights.contains("* */*");
    return FakeAnswer{201, std::string(R"({"status":{"allowed":)") + (allowed ? "true" : "false") + "}}"};
  }

  SystemClock clock_;
  io::Loop loop_{clock_};
  std::set<std::string> rights;
  bool flux = false;
  int broken = 0;
};

TEST_F(ClusterChecksTest, AClusterAdminIsFineAndToldThatLessWouldDo) {
  rights = {"* */*"};
  const auto checks = run();
  EXPECT_EQ(checks[0], (Check{"kubernetes", Verdict::kOk, "v1.33.1 at k:6443 (in-cluster)", ""}));
  EXPECT_EQ(checks[1].verdict, Verdict::kOk);
  EXPECT_THAT(checks[1].detail, AllOf(HasSubstr("cluster-admin"), HasSubstr("rbac.useExistingRole")));
  EXPECT_EQ(checks[2], (Check{"flux", Verdict::kSkipped, "Flux is not installed in the cluster", ""}));
}

TEST_F(ClusterChecksTest, WhatTheAgentMayIsSaid) {
  rights = {"list /pods", "update coordination.k8s.io/leases"};
  const auto checks = run();
  EXPECT_EQ(checks[1].verdict, Verdict::kOk);
  EXPECT_THAT(checks[1].detail, AllOf(HasSubstr("may list pods"), HasSubstr("may not impersonate")));
}

TEST_F(ClusterChecksTest, WithoutLeasesThePodsCannotChooseALeader) {
  rights = {"list /pods", "impersonate /users"};
  EXPECT_EQ(run()[1].verdict, Verdict::kWarning);
  EXPECT_THAT(run()[1].remedy, HasSubstr("leader"));
  EXPECT_EQ(run("")[1].verdict, Verdict::kOk) << "outside a cluster there is none to choose";
}

TEST_F(ClusterChecksTest, AnAgentWithoutRightsIsToldToBindARole) {
  rights = {"update coordination.k8s.io/leases"};
  const auto checks = run();
  EXPECT_EQ(checks[1].verdict, Verdict::kWarning);
  EXPECT_THAT(checks[1].remedy, HasSubstr("bind a ClusterRole"));
}

TEST_F(ClusterChecksTest, FluxMustBeReadAndToldOfPushes) {
  flux = true;
  rights = {"list source.toolkit.fluxcd.io/gitrepositories"};
  EXPECT_EQ(run()[2].verdict, Verdict::kWarning);
  rights.insert("create notification.toolkit.fluxcd.io/receivers");
  EXPECT_EQ(run()[2].verdict, Verdict::kOk);
  EXPECT_THAT(run()[2].detail, HasSubstr("source.toolkit.fluxcd.io/v1"));
}

TEST_F(ClusterChecksTest, WithoutTheApiTheRestIsSkipped) {
  broken = 401;
  const auto checks = run();
  EXPECT_EQ(checks[0].verdict, Verdict::kFailed);
  EXPECT_EQ(checks[0].detail, "Unauthorized");
  EXPECT_THAT(checks[0].remedy, HasSubstr("service account"));
  EXPECT_EQ(checks[1].verdict, Verdict::kSkipped);
  EXPECT_EQ(checks[2].verdict, Verdict::kSkipped);
}

TEST_F(ClusterChecksTest, AClusterThatCouldNotBeConfiguredIsSaid) {
  const ClusterSide side{.problem = {Code::kNotFound, "no kubeconfig"},
                         .client = nullptr,
                         .address = {},
                         .credentials = {},
                         .namespace_ = {}};
  std::vector<Check> found;
  const auto operation =
      check_cluster(loop_, side, [&](std::vector<Check> checks) { found = std::move(checks); });
  for (int i = 0; i < 10; ++i) loop_.poll();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].detail, "no kubeconfig");
  EXPECT_THAT(found[0].remedy, HasSubstr("--kubeconfig"));
}

}  // namespace
}  // namespace towline::doctor
