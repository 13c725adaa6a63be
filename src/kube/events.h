#pragma once

#include <memory>
#include <string>

#include <boost/json/object.hpp>

#include "base/log.h"
#include "io/dial.h"

namespace towline::kube {

class Client;

/// An Event (core/v1) for those who ask the cluster what happens: "kubectl get events".
struct Event {
  std::string namespace_;
  boost::json::object regarding;  // an owner reference, see find_owner
  std::string reason;             // "ConfigurationApplied"
  std::string message;
  std::string component;  // "agentk"
  std::string instance;   // the pod that tells
};

/// Records an event. A failure is logged and nothing more: events are for reading. Destroying the operation
/// gives up.
[[nodiscard]] std::unique_ptr<io::Operation> record_event(io::Loop& loop, Client& client, const Event& event,
                                                          Logger log);

}  // namespace towline::kube
