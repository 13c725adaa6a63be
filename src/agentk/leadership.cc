#include "agentk/leadership.h"

#include <utility>

#include <boost/json/object.hpp>

#include "base/encoding.h"
#include "io/dial.h"
#include "kube/client.h"
#include "kube/events.h"
#include "kube/leader_elector.h"
#include "kube/owner.h"

namespace towline::agentk {
namespace {

class LeadershipImpl final : public Leadership {
 public:
  LeadershipImpl(io::Loop& loop, kube::Client& client, PodIdentity pod, Logger log)
      : loop_(loop), client_(client), pod_(std::move(pod)), log_(std::move(log)) {}

  void configured(std::int64_t agent_id, const std::string& project, const std::string& commit_id) override {
    following_ = "configuration of " + project + " at commit " + commit_id;
    if (leads()) return record("ConfigurationApplied", "Applied the " + following_);
    if (elector_ || operation_) return;
    operation_ =
        kube::find_owner(loop_, client_, pod_.namespace_, pod_.name,
                         [this, agent_id](boost::json::object owner) { elect(agent_id, std::move(owner)); });
  }

  bool leads() const override { return elector_ && elector_->leads(); }

  void stop(std::move_only_function<void()> stopped) override {
    operation_.reset();
    if (!elector_) return stopped();
    elector_->stop(std::move(stopped));
  }

 private:
  void elect(std::int64_t agent_id, boost::json::object owner) {
    regarding_ = owner;
    if (regarding_.empty()) regarding_ = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", pod_.name}};
    kube::LeaderElectionOptions options{.namespace_ = pod_.namespace_,
                                        .name = "agent-" + std::to_string(agent_id) + "-lock",
                                        .identity = pod_.name + "_" + hex_encode(random_bytes(8)),
                                        .owner = std::move(owner)};
    elector_ = kube::LeaderElector::start(
        loop_, client_, std::move(options),
        [this](bool leads) {
          if (leads) record("LeaderElection", pod_.name + " leads and follows the " + following_);
        },
        log_);
  }
  void record(const char* reason, std::string message) {
    operation_ = kube::record_event(loop_, client_,
                                    {.namespace_ = pod_.namespace_,
                                     .regarding = regarding_,
                                     .reason = reason,
                                     .message = std::move(message),
                                     .component = "agentk",
                                     .instance = pod_.name},
                                    log_);
  }

  io::Loop& loop_;
  kube::Client& client_;
  const PodIdentity pod_;
  Logger log_;
  std::string following_;
  boost::json::object regarding_;
  std::unique_ptr<io::Operation> operation_;  // the search for the owner, later the last event
  std::unique_ptr<kube::LeaderElector> elector_;
};

}  // namespace

std::unique_ptr<Leadership> Leadership::create(io::Loop& loop, kube::Client& client, PodIdentity pod,
                                               Logger log) {
  return std::make_unique<LeadershipImpl>(loop, client, std::move(pod), std::move(log));
}

}  // namespace towline::agentk
