#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/json/object.hpp>

#include "base/log.h"

namespace towline::io {
class Loop;
}

namespace towline::kube {

class Client;

struct LeaderElectionOptions {
  std::string namespace_;
  std::string name;      // of the Lease
  std::string identity;  // of this candidate: different for each process that ever lives
  /// An owner reference of metav1, so that the Lease goes with what it was made for; empty: none.
  boost::json::object owner;
  /// Others may take a lease that has not been renewed for this long. As all candidates measure it by their
  /// own clocks, from when they saw the last renewal, the clocks need not agree.
  std::chrono::seconds lease_duration{15};
  /// A leader that could not renew for this long steps down; less than lease_duration, so that it has stepped
  /// down before another one leads.
  std::chrono::seconds renew_deadline{10};
  /// Between two attempts to renew or to get the lease; up to a fifth is added at random.
  std::chrono::milliseconds retry_period{3'000};
};

/// Finds one leader among several processes by a Lease (coordination.k8s.io/v1), as Kubernetes' own
/// components do, and so together with them. Lives on one loop, the client's.
class LeaderElector {
 public:
  /// Told from the loop when this process begins to lead and when it has stopped.
  using Changed = std::function<void(bool leads)>;

  /// Starts at once. `client` outlives the elector.
  static std::unique_ptr<LeaderElector> start(io::Loop& loop, Client& client, LeaderElectionOptions options,
                                              Changed changed, Logger log);
  virtual ~LeaderElector() = default;

  virtual bool leads() const = 0;
  /// Steps down, gives the lease back so that another one leads at once, then calls `stopped`; also where the
  /// API does not answer.
  virtual void stop(std::move_only_function<void()> stopped) = 0;
};

}  // namespace towline::kube
