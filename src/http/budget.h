#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.h"
#include "io/fair_pool.h"

namespace towline::http {

/// What may be held for callers, bytes or things: by each, by all strangers together, and by everybody. Safe
/// from any thread.
class Budget : public std::enable_shared_from_this<Budget> {
 public:
  struct Limits {
    std::size_t per_caller = 0;  // who is known
    std::size_t per_address = 0;
    std::size_t of_strangers = 0;
    std::size_t of_all = 0;
  };

  /// `what` names it in refusals: "bytes of answers".
  static std::shared_ptr<Budget> make(std::string what, Limits limits);

  /// What one holds for `who`; gives it back when it is destroyed. Empty to begin with.
  class Part {
   public:
    Part() = default;
    Part(std::shared_ptr<Budget> budget, io::Caller who) : budget_(std::move(budget)), who_(who) {}
    Part(Part&& other) noexcept
        : budget_(std::move(other.budget_)), who_(other.who_), held_(std::exchange(other.held_, 0)) {}
    Part& operator=(Part&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(who_, other.who_);
      std::swap(held_, other.held_);
      return *this;
    }
    ~Part() {
      if (budget_ && held_ > 0) budget_->give_back(who_, held_);
    }
    /// RESOURCE_EXHAUSTED, naming the limit, when that would be too much: nothing is taken then.
    Status grow(std::size_t amount);
    std::size_t held() const { return held_; }

   private:
    std::shared_ptr<Budget> budget_;
    io::Caller who_;
    std::size_t held_ = 0;
  };
  Part part(io::Caller who) { return {shared_from_this(), who}; }

  /// All that is held.
  std::size_t held() const;

 private:
  Budget(std::string what, Limits limits) : what_(std::move(what)), limits_(limits) {}
  Status take(io::Caller who, std::size_t amount);
  void give_back(io::Caller who, std::size_t amount);
  Status too_much(std::size_t limit, const char* whose) const;

  const std::string what_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::map<io::Caller, std::size_t> by_caller_;
  std::size_t by_strangers_ = 0;
  std::size_t by_all_ = 0;
};

}  // namespace towline::http
