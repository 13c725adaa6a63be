#include "grpc/budget.h"

#include <utility>

namespace towline::grpc {

ConnectionBudget::ConnectionBudget(std::shared_ptr<ServerBudget> server, std::weak_ptr<const void> connection)
    : server_(std::move(server)), connection_(std::move(connection)) {}

ConnectionBudget::~ConnectionBudget() { server_->forget(connection_); }

bool ConnectionBudget::enter_stranger() {
  if (!known_ && strangers_ >= kMaxStrangers) return false;
  ++strangers_;
  return true;
}

Status ConnectionBudget::change(std::size_t before, std::size_t now) {
  held_ += now - before;
  const std::size_t all = server_->held_.fetch_add(now - before, std::memory_order_relaxed) + (now - before);
  if (now <= before) return {};
  if (!known_ && held_ > kMaxStrangersBytes) {
    return {Code::kResourceExhausted, "too many bytes before it is known who sends them"};
  }
  if (held_ > kMaxUnfinishedOfConnection) {
    return {Code::kResourceExhausted, "this connection has begun too many messages without finishing them"};
  }
  if (all > kMaxUnfinished && held_ > kUnfinishedShare) {
    return {Code::kResourceExhausted, "the server holds too many unfinished messages: try again"};
  }
  return {};
}

std::shared_ptr<ConnectionBudget> ServerBudget::of(const std::weak_ptr<const void>& connection) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<ConnectionBudget>& known = connections_[connection];
  if (auto found = known.lock()) return found;
  auto made = std::make_shared<ConnectionBudget>(shared_from_this(), connection);
  known = made;
  return made;
}

void ServerBudget::forget(const std::weak_ptr<const void>& connection) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(connection);
  if (found != connections_.end() && found->second.expired()) connections_.erase(found);
}

}  // namespace towline::grpc
