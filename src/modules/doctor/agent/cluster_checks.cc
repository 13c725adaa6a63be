#include "modules/doctor/agent/cluster_checks.h"

#include <array>
#include <utility>

#include <boost/json/object.hpp>

#include "io/loop.h"
#include "kube/call.h"
#include "kube/client.h"
#include "modules/doctor/agent/remedies.h"

namespace towline::doctor {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr const char* kSourceGroup = "source.toolkit.fluxcd.io";
constexpr const char* kNotificationGroup = "notification.toolkit.fluxcd.io";

// A right that the agent may need.
struct Right {
  const char* verb;
  const char* group;
  const char* resource;
  bool in_own_namespace = false;
};
constexpr Right kEverything{"*", "*", "*"};
constexpr Right kImpersonate{"impersonate", "", "users"};
constexpr Right kLead{"update", "coordination.k8s.io", "leases", true};
constexpr Right kReadPods{"list", "", "pods"};
constexpr Right kReadSources{"list", kSourceGroup, "gitrepositories"};
constexpr Right kMakeReceivers{"create", kNotificationGroup, "receivers"};

class ClusterChecks final : public io::Operation {
 public:
  ClusterChecks(io::Loop& loop, const ClusterSide& cluster, Checked done)
      : loop_(loop), cluster_(cluster), done_(std::move(done)), next_(loop, [this] { check_kubernetes(); }) {
    next_.start(milliseconds(0));
  }

 private:
  using Rights = std::vector<std::pair<Right, bool>>;

  void conclude(const char* name, Verdict verdict, std::string detail, std::string remedy = {}) {
    checks_.push_back(
        {.name = name, .verdict = verdict, .detail = std::move(detail), .remedy = std::move(remedy)});
  }
  void finish() {
    Checked done = std::move(done_);
    done(std::move(checks_));
  }

  void check_kubernetes() {
    if (cluster_.client == nullptr) return unreachable(cluster_.problem);
    ask({.target = "/version"}, [this](Result<json::object> answer) {
      if (!answer) return unreachable(answer.error());
      conclude("kubernetes", Verdict::kOk,
               kube::text_at(*answer, {"gitVersion"}) + " at " + cluster_.address + " (" +
                   cluster_.credentials + ")");
      check_permissions();
    });
  }
  void unreachable(const Status& why) {
    conclude("kubernetes", Verdict::kFailed, why.message(), remedy_for_kubernetes(why));
    conclude("permissions", Verdict::kSkipped, "the Kubernetes API is not reached");
    conclude("flux", Verdict::kSkipped, "the Kubernetes API is not reached");
    finish();
  }

  void check_permissions() {
    std::vector<Right> wanted{kEverything, kReadPods, kImpersonate};
    if (!cluster_.namespace_.empty()) wanted.push_back(kLead);
    review(std::move(wanted), [this](const Result<Rights>& rights) {
      judge_permissions(rights);
      check_flux();
    });
  }
  void judge_permissions(const Result<Rights>& rights) {
    if (!rights) {
      return conclude(
          "permissions", Verdict::kFailed, rights.error().message(),
          "the API must let the agent review its own access, as it does for all who are known to it");
    }
    if (allowed(*rights, kEverything)) {
      return conclude("permissions", Verdict::kOk,
                      "the agent may do everything (cluster-admin); rbac.useExistingRole gives it less");
    }
    const bool pods = allowed(*rights, kReadPods);
    const bool impersonate = allowed(*rights, kImpersonate);
    const std::string may = std::string("the agent ") + (pods ? "may" : "may not") +
                            " list pods of all namespaces, " + (impersonate ? "may" : "may not") +
                            " impersonate users";
    if (!cluster_.namespace_.empty() && !allowed(*rights, kLead)) {
      return conclude(
          "permissions", Verdict::kWarning, may + ", may not update leases in " + cluster_.namespace_,
          "the pods of the agent cannot choose a leader: grant leases in the agent's namespace, as the "
          "chart does with rbac.create=true");
    }
    if (!pods && !impersonate) {
      return conclude("permissions", Verdict::kWarning, may,
                      "if requests are answered 403, bind a ClusterRole to the agent's service account "
                      "(rbac.useExistingRole); access_as user and ci_job need the verb impersonate");
    }
    conclude("permissions", Verdict::kOk, may);
  }

  void check_flux() {
    ask({.target = std::string("/apis/") + kSourceGroup}, [this](Result<json::object> answer) {
      if (!answer && answer.error().code() == Code::kNotFound) {
        conclude("flux", Verdict::kSkipped, "Flux is not installed in the cluster");
        return finish();
      }
      if (!answer) {
        conclude("flux", Verdict::kWarning, answer.error().message(),
                 "it is not known whether Flux is installed");
        return finish();
      }
      check_flux_rights(kube::text_at(*answer, {"preferredVersion", "groupVersion"}));
    });
  }
  void check_flux_rights(std::string version) {
    review({kReadSources, kMakeReceivers}, [this,
                                            version = std::move(version)](const Result<Rights>& rights) {
      const bool all = rights && allowed(*rights, kReadSources) && allowed(*rights, kMakeReceivers);
      if (all) {
        conclude("flux", Verdict::kOk, version + " is installed, and the agent may use it");
      } else {
        conclude(
            "flux", Verdict::kWarning, version + " is installed, but the agent may not use it",
            "to have Flux told of pushes, grant the agent list of gitrepositories and create of receivers");
      }
      finish();
    });
  }

  // Asks which of `wanted` the agent has, one after the other.
  void review(std::vector<Right> wanted, std::move_only_function<void(Result<Rights>)> done) {
    wanted_ = std::move(wanted);
    rights_.clear();
    reviewed_ = std::move(done);
    review_next();
  }
  void review_next() {
    if (rights_.size() == wanted_.size()) return std::exchange(reviewed_, {})(std::move(rights_));
    const Right& right = wanted_[rights_.size()];
    json::object attributes{{"verb", right.verb}, {"group", right.group}, {"resource", right.resource}};
    if (right.in_own_namespace) attributes["namespace"] = cluster_.namespace_;
    json::object body{{"apiVersion", "authorization.k8s.io/v1"},
                      {"kind", "SelfSubjectAccessReview"},
                      {"spec", {{"resourceAttributes", std::move(attributes)}}}};
    ask({.method = "POST",
         .target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
         .body = std::move(body)},
        [this, right](Result<json::object> answer) {
          if (!answer) return std::exchange(reviewed_, {})(fail(std::move(answer.error())));
          const json::value* const verdict = kube::find(*answer, {"status", "allowed"});
          rights_.emplace_back(right, verdict != nullptr && verdict->is_bool() && verdict->get_bool());
          review_next();
        });
  }
  static bool allowed(const Rights& rights, const Right& right) {
    for (const auto& [each, granted] : rights) {
      if (std::string_view(each.resource) == right.resource && std::string_view(each.verb) == right.verb)
        return granted;
    }
    return false;
  }

  void ask(const kube::Call& request, kube::Answered done) {
    call_ = kube::call(loop_, *cluster_.client, request, std::move(done));
  }

  io::Loop& loop_;
  const ClusterSide& cluster_;
  Checked done_;
  std::vector<Check> checks_;
  io::Timer next_;
  std::vector<Right> wanted_;
  Rights rights_;
  std::move_only_function<void(Result<Rights>)> reviewed_;
  std::unique_ptr<io::Operation> call_;
};

}  // namespace

std::unique_ptr<io::Operation> check_cluster(io::Loop& loop, const ClusterSide& cluster, Checked done) {
  return std::make_unique<ClusterChecks>(loop, cluster, std::move(done));
}

}  // namespace towline::doctor
