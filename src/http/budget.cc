#include "http/budget.h"

namespace towline::http {

std::shared_ptr<Budget> Budget::make(std::string what, Limits limits) {
  return std::shared_ptr<Budget>(new Budget(std::move(what), limits));
}

Status Budget::Part::grow(std::size_t amount) {
  if (!budget_) return {};
  Status status = budget_->take(who_, amount);
  if (status.ok()) held_ += amount;
  return status;
}

std::size_t Budget::held() const {
  const std::lock_guard lock(mutex_);
  return by_all_;
}

Status Budget::too_much(std::size_t limit, const char* whose) const {
  return {Code::kResourceExhausted, "the limit of " + std::to_string(limit) + " " + what_ + " " + whose +
                                        " at once is reached; try again later"};
}

Status Budget::take(io::Caller who, std::size_t amount) {
  const std::lock_guard lock(mutex_);
  if (amount > limits_.of_all - by_all_) return too_much(limits_.of_all, "for everybody");
  if (who.is_stranger() && amount > limits_.of_strangers - by_strangers_)
    return too_much(limits_.of_strangers, "for those who have not logged in");
  std::size_t& held = by_caller_[who];
  const std::size_t limit = who.is_stranger() ? limits_.per_address : limits_.per_caller;
  if (amount > limit - held) {
    if (held == 0) by_caller_.erase(who);
    return too_much(limit, who.is_stranger() ? "for your address" : "for you");
  }
  held += amount;
  by_all_ += amount;
  if (who.is_stranger()) by_strangers_ += amount;
  return {};
}

void Budget::give_back(io::Caller who, std::size_t amount) {
  const std::lock_guard lock(mutex_);
  const auto found = by_caller_.find(who);
  if (found == by_caller_.end()) return;
  found->second -= amount;
  if (found->second == 0) by_caller_.erase(found);
  by_all_ -= amount;
  if (who.is_stranger()) by_strangers_ -= amount;
}

}  // namespace towline::http
