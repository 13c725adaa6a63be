#include "control/domain/events.h"

#include <list>
#include <mutex>

namespace towline::control {

// Callbacks run under the mutex: they only post, and so a subscription's end waits for a call under way.
struct EventHub::Subscribers {
  std::mutex mutex;
  std::list<std::function<void(const Event&)>> callbacks;
};

EventHub::EventHub() : subscribers_(std::make_shared<Subscribers>()) {}
EventHub::~EventHub() = default;

void EventHub::raise(const Event& event) {
  const std::lock_guard lock(subscribers_->mutex);
  for (const auto& callback : subscribers_->callbacks) callback(event);
}

std::unique_ptr<Backend::Subscription> EventHub::subscribe(std::function<void(const Event&)> on_event) {
  class Subscribed final : public Backend::Subscription {
   public:
    Subscribed(std::shared_ptr<Subscribers> subscribers, std::function<void(const Event&)> callback)
        : subscribers_(std::move(subscribers)) {
      const std::lock_guard lock(subscribers_->mutex);
      subscribers_->callbacks.push_back(std::move(callback));
      place_ = std::prev(subscribers_->callbacks.end());
    }
    ~Subscribed() override {
      const std::lock_guard lock(subscribers_->mutex);
      subscribers_->callbacks.erase(place_);
    }

   private:
    std::shared_ptr<Subscribers> subscribers_;
    std::list<std::function<void(const Event&)>>::iterator place_;
  };
  return std::make_unique<Subscribed>(subscribers_, std::move(on_event));
}

}  // namespace towline::control
