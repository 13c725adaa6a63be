#pragma once

#include <functional>
#include <memory>

#include "control/backend.h"

namespace towline::control {

/// Passes events to their subscribers, on the thread that raises them. Safe from any thread.
class EventHub {
 public:
  EventHub();
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  void raise(const Event& event);
  /// The subscription may outlive the hub.
  std::unique_ptr<Backend::Subscription> subscribe(std::function<void(const Event&)> on_event);

 private:
  struct Subscribers;
  std::shared_ptr<Subscribers> subscribers_;
};

}  // namespace towline::control
