#include "control/git_http/slots.h"

#include <utility>

namespace towline::control::git_http {

Slots::Ticket::Ticket(std::shared_ptr<Slots> slots, io::Caller caller, std::function<void()> granted)
    : slots_(std::move(slots)), caller_(std::move(caller)), granted_(std::move(granted)) {}

Slots::Ticket::~Ticket() { slots_->leave(*this); }

bool Slots::fits(const io::Caller& caller) {
  if (running_ >= limits_.running) return false;
  if (caller.is_stranger() && strangers_ >= limits_.running_of_strangers) return false;
  return counts_[caller].running < limits_.running_per_caller;
}

void Slots::grant(Ticket& ticket) {
  ticket.runs_ = true;
  ++running_;
  if (ticket.caller_.is_stranger()) ++strangers_;
  ++counts_[ticket.caller_].running;
  ticket.granted_();
}

std::unique_ptr<Slots::Ticket> Slots::enter(io::Caller caller, std::function<void()> granted,
                                            Refusal& refusal) {
  const std::lock_guard lock(mutex_);
  Count& count = counts_[caller];
  const bool fit = fits(caller);
  refusal = fit || (count.waiting < limits_.waiting_per_caller && waiting_.size() < limits_.waiting)
                ? Refusal::kNone
            : count.waiting >= limits_.waiting_per_caller ? Refusal::kCaller
                                                          : Refusal::kAll;
  if (refusal != Refusal::kNone) return forget_if_idle(caller), nullptr;
  auto ticket = std::make_unique<Ticket>(shared_from_this(), std::move(caller), std::move(granted));
  if (fit) {
    grant(*ticket);
  } else {
    ++count.waiting;
    ticket->place_ = waiting_.insert(waiting_.end(), ticket.get());
  }
  return ticket;
}

void Slots::forget_if_idle(const io::Caller& caller) {
  const auto found = counts_.find(caller);
  if (found != counts_.end() && found->second.running == 0 && found->second.waiting == 0)
    counts_.erase(found);
}

void Slots::leave(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  Count& count = counts_[ticket.caller_];
  if (!ticket.runs_) {
    --count.waiting;
    waiting_.erase(ticket.place_);
    return forget_if_idle(ticket.caller_);
  }
  --running_;
  if (ticket.caller_.is_stranger()) --strangers_;
  --count.running;
  forget_if_idle(ticket.caller_);
  for (auto each = waiting_.begin(); each != waiting_.end() && running_ < limits_.running;) {
    Ticket& next = **each;
    if (!fits(next.caller_)) {
      ++each;
      continue;
    }
    each = waiting_.erase(each);
    --counts_[next.caller_].waiting;
    grant(next);
  }
}

}  // namespace towline::control::git_http
