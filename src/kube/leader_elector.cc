#include "kube/leader_elector.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>

#include <boost/json/array.hpp>

#include "base/clock.h"
#include "io/loop.h"
#include "kube/call.h"
#include "kube/rfc3339.h"

namespace towline::kube {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr milliseconds kCallTimeout{3'000};
// A leader whose renewal has failed has no time to lose.
constexpr milliseconds kLeaderRetry{1'000};
constexpr milliseconds kReleaseTimeout{2'000};

// What answers need not be the Kubernetes API.
bool is_lease(const json::object& object) {
  const json::value* const metadata = find(object, {"metadata"});
  return metadata != nullptr && metadata->is_object();
}
Status not_a_lease() {
  return {Code::kUnavailable, "the Kubernetes API answered with something else than a Lease"};
}

class Elector final : public LeaderElector {
 public:
  Elector(io::Loop& loop, Client& client, LeaderElectionOptions options, Changed changed, Logger log)
      : loop_(loop),
        client_(client),
        options_(std::move(options)),
        changed_(std::move(changed)),
        log_(std::move(log)),
        random_(std::random_device{}()),
        next_(loop, [this] { attempt(); }),
        expiry_(loop, [this] { step_down("it could not be renewed in time"); }) {
    next_.start(milliseconds(0));
  }

  bool leads() const override { return leads_; }

  void stop(std::move_only_function<void()> stopped) override {
    next_.cancel();
    expiry_.cancel();
    call_.reset();
    stopped_ = std::move(stopped);
    if (!leads_) return finish_stop();
    set_leads(false);
    json::object lease = with_spec("", false);
    lease["spec"].as_object()["leaseDurationSeconds"] = 1;
    ask("PUT", std::move(lease), kReleaseTimeout, [this](const Result<json::object>& answer) {
      if (!answer) log_.debug("the lease was not given back", {{"error", answer.error().message()}});
      finish_stop();
    });
  }

 private:
  std::string collection() const {
    return "/apis/coordination.k8s.io/v1/namespaces/" + options_.namespace_ + "/leases";
  }
  void ask(const char* method, json::object body, milliseconds timeout, Answered done) {
    Call request{.method = method, .target = collection(), .body = std::move(body), .timeout = timeout};
    if (request.method != "POST") request.target += "/" + options_.name;
    call_ = call(loop_, client_, request, std::move(done));
  }

  // The leader knows the lease as it wrote it and spares itself the reading, unless a renewal has failed.
  void attempt() {
    if (leads_ && known_) return write("PUT", with_spec(options_.identity, false));
    ask("GET", {}, kCallTimeout, [this](Result<json::object> answer) {
      if (answer) return consider(std::move(*answer));
      if (answer.error().code() == Code::kNotFound) return create();
      failed(answer.error());
    });
  }

  void consider(json::object lease) {
    if (!is_lease(lease)) return failed(not_a_lease());
    const std::string holder = text_at(lease, {"spec", "holderIdentity"});
    const std::string renewed = text_at(lease, {"spec", "renewTime"});
    const std::string record = holder + "\n" + renewed;
    if (record != record_) {
      record_ = record;
      seen_ = loop_.now();
    }
    lease_ = std::move(lease);
    const bool held = !holder.empty() && holder != options_.identity;
    if (held && leads_) step_down("another one has taken the lease");
    if (held && loop_.now() - seen_ < options_.lease_duration) return again();
    write("PUT", with_spec(options_.identity, holder != options_.identity));
  }

  void create() {
    json::object metadata{{"name", options_.name}, {"namespace", options_.namespace_}};
    lease_ = {{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", std::move(metadata)}};
    write("POST", with_spec(options_.identity, true));
  }

  void write(const char* method, json::object lease) {
    // What an answer says counts from here, whenever it comes.
    asked_ = loop_.now();
    known_ = false;
    ask(method, std::move(lease), kCallTimeout,
        [this](Result<json::object> answer) { written(std::move(answer)); });
  }

  void written(Result<json::object> answer) {
    if (!answer) return failed(answer.error());
    if (!is_lease(*answer)) return failed(not_a_lease());
    lease_ = std::move(*answer);
    known_ = true;
    said_.clear();
    expiry_.start(std::max(options_.renew_deadline - (loop_.now() - asked_), Clock::Duration::zero()));
    set_leads(true);
    again();
  }

  // The lease as it is known, with what this process writes into it.
  json::object with_spec(const std::string& holder, bool taken) {
    json::object lease = lease_;
    json::value& spec = lease["spec"];
    if (!spec.is_object()) spec = json::object();
    json::object& fields = spec.as_object();
    const std::string now = format_rfc3339(loop_.clock().wall());
    fields["holderIdentity"] = holder;
    fields["leaseDurationSeconds"] = options_.lease_duration.count();
    fields["renewTime"] = now;
    if (taken) {
      const json::value* before = find(lease_, {"spec", "leaseTransitions"});
      const std::int64_t transitions = before != nullptr && before->is_int64() ? before->get_int64() + 1 : 0;
      fields["acquireTime"] = now;
      fields["leaseTransitions"] = transitions;
    }
    json::object& metadata = lease["metadata"].as_object();
    metadata.erase("managedFields");
    if (!options_.owner.empty()) metadata["ownerReferences"] = json::array{options_.owner};
    return lease;
  }

  // Said once for each reason: it comes again with each attempt.
  void failed(const Status& why) {
    if (why.code() != Code::kAborted && said_ != why.message()) {
      said_ = why.message();
      log_.warn("the lease that decides which pod leads cannot be had",
                {{"lease", options_.namespace_ + "/" + options_.name}, {"error", why.message()}});
    }
    again();
  }
  void again() {
    const milliseconds period = leads_ && !known_ ? kLeaderRetry : options_.retry_period;
    std::uniform_int_distribution<milliseconds::rep> more(0, period.count() / 5);
    next_.start(period + milliseconds(more(random_)));
  }

  void step_down(const char* why) {
    log_.warn("this pod leads no more", {{"reason", why}});
    set_leads(false);
  }
  void set_leads(bool leads) {
    if (leads == leads_) return;
    leads_ = leads;
    if (!leads) expiry_.cancel();
    if (leads) log_.info("this pod leads", {{"lease", options_.namespace_ + "/" + options_.name}});
    changed_(leads);
  }
  void finish_stop() {
    if (stopped_) std::exchange(stopped_, {})();
  }

  io::Loop& loop_;
  Client& client_;
  const LeaderElectionOptions options_;
  Changed changed_;
  Logger log_;
  std::minstd_rand random_;
  io::Timer next_;
  io::Timer expiry_;
  std::unique_ptr<io::Operation> call_;
  json::object lease_;        // as last read or written
  bool known_ = false;        // lease_ is what the API has, as far as this process can tell
  std::string record_;        // holder and time of the last renewal seen
  Clock::TimePoint seen_{};   // when record_ was seen first
  Clock::TimePoint asked_{};  // when the last write was sent
  std::string said_;          // the failure that the log has
  bool leads_ = false;
  std::move_only_function<void()> stopped_;
};

}  // namespace

std::unique_ptr<LeaderElector> LeaderElector::start(io::Loop& loop, Client& client,
                                                    LeaderElectionOptions options, Changed changed,
                                                    Logger log) {
  return std::make_unique<Elector>(loop, client, std::move(options), std::move(changed), std::move(log));
}

}  // namespace towline::kube
