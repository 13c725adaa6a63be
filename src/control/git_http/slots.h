#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "io/fair_pool.h"

namespace towline::control::git_http {

/// The places in which Git's processes run, shared out among callers: each has a few, strangers all together
/// have half, and whoever finds none free waits behind himself. Safe from any thread.
class Slots : public std::enable_shared_from_this<Slots> {
 public:
  struct Limits {
    /// Limit: clones, fetches and pushes of all callers that run at once, each a process or three; more wait.
    std::size_t running = 32;
    /// Limit: clones, fetches and pushes of one user, or of one address without a token, that run at once;
    /// more wait.
    std::size_t running_per_caller = 4;
    /// Limit: clones and fetches of all without a token that run at once; more wait.
    std::size_t running_of_strangers = 16;
    /// Limit: clones, fetches and pushes of one caller that wait; more are answered by 429.
    std::size_t waiting_per_caller = 32;
    /// Limit: clones, fetches and pushes of all callers that wait; more are answered by 503.
    std::size_t waiting = 512;
  };
  enum class Refusal { kNone, kCaller, kAll };

  /// A place, or the wait for one. Destroying it gives it back.
  class Ticket {
   public:
    Ticket(std::shared_ptr<Slots> slots, io::Caller caller, std::function<void()> granted);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    friend class Slots;
    std::shared_ptr<Slots> slots_;
    io::Caller caller_;
    std::function<void()> granted_;
    bool runs_ = false;
    std::list<Ticket*>::iterator place_;
  };

  explicit Slots(Limits limits) : limits_(limits) {}
  Slots() : Slots(Limits()) {}

  /// Calls `granted` once, from inside or later from another thread, unless the ticket goes before. It must
  /// only post. Null with the reason when too many wait already.
  std::unique_ptr<Ticket> enter(io::Caller caller, std::function<void()> granted, Refusal& refusal);

 private:
  struct Count {
    std::size_t running = 0;
    std::size_t waiting = 0;
  };

  void leave(Ticket& ticket);
  bool fits(const io::Caller& caller);
  void grant(Ticket& ticket);
  void forget_if_idle(const io::Caller& caller);

  const Limits limits_;
  std::mutex mutex_;
  std::size_t running_ = 0;
  std::size_t strangers_ = 0;
  std::map<io::Caller, Count> counts_;
  std::list<Ticket*> waiting_;
};

}  // namespace towline::control::git_http
