#include "io/fair_pool.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <endian.h>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/url.h"

namespace towline::io {

Caller Caller::address(std::string_view peer) {
  std::string_view host = without_port(peer);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const std::string text(host.substr(0, host.find('%')));  // an interface is no part of the address
  std::array<unsigned char, 16> bytes{};
  std::uint64_t network = 0;
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    std::memcpy(&network, bytes.data(), sizeof network);
    return {Kind::kAddress, be64toh(network)};
  }
  std::uint32_t address = 0;
  if (::inet_pton(AF_INET, text.c_str(), &address) == 1) network = be32toh(address);
  return {Kind::kAddress, network};  // no IPv6 network that is in use has zeros before these bits
}

std::string Caller::name() const {
  switch (kind_) {
    case Kind::kServer:
      return "the server";
    case Kind::kUser:
      return "user " + std::to_string(id_);
    case Kind::kAgent:
      return "agent " + std::to_string(id_);
    case Kind::kAddress:
      return "a stranger";
  }
  return "";
}

struct FairPool::Impl {
  struct Item {
    Loop* loop = nullptr;
    Task work;
    Task done;
    InterruptPtr interrupt;
  };
  // What one caller has here.
  struct Share {
    std::list<Item> waiting;
    std::size_t running = 0;
    bool in_turn = false;
  };
  using Shares = std::map<Caller, Share>;
  using Turns = std::deque<Shares::iterator>;

  Impl(std::size_t threads, Limits pool_limits)
      : limits(pool_limits),
        strangers_at_once(pool_limits.running_of_strangers > 0 ? pool_limits.running_of_strangers
                                                               : std::max<std::size_t>(threads / 2, 1)) {
    for (std::size_t i = 0; i < threads; ++i) workers.emplace_back([this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  Status add(Caller who, Item item) {
    {
      const std::lock_guard lock(mutex);
      if (waiting >= limits.waiting) return too_much(limits.waiting, "requests of everybody");
      const auto place = shares.try_emplace(who).first;
      Share& share = place->second;
      if (!who.is_server() && share.waiting.size() >= limits.waiting_per_caller)
        return too_much(limits.waiting_per_caller, "requests of yours");
      share.waiting.push_back(std::move(item));
      ++waiting;
      queue(place);
    }
    wake.notify_one();
    return {};
  }

  static Status too_much(std::size_t limit, const std::string& what) {
    return {Code::kResourceExhausted, "the limit of " + std::to_string(limit) + " waiting " + what +
                                          " is reached; try again in a second"};
  }

  // Gives a caller a turn, if he has something for it and may have one.
  void queue(Shares::iterator place) {
    Share& share = place->second;
    if (share.in_turn || share.waiting.empty()) return;
    if (!place->first.is_server() && share.running >= limits.running_per_caller) return;
    share.in_turn = true;
    turns[place->first.is_stranger() ? 1 : 0].push_back(place);
  }

  // Whose turn it is: of those who are known and of strangers alternately, where both wait.
  Turns* next_turns() {
    Turns* strangers = strangers_running < strangers_at_once && !turns[1].empty() ? &turns[1] : nullptr;
    Turns* known = turns[0].empty() ? nullptr : &turns[0];
    if (known == nullptr || (strangers != nullptr && !stranger_was_last)) return strangers;
    return known;
  }

  // A thread of the pool.
  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      Turns* turn = nullptr;
      wake.wait(lock, [&] { return stopping || (turn = next_turns()) != nullptr; });
      if (stopping) return;
      const auto place = turn->front();
      turn->pop_front();
      run_one_of(place, lock);
    }
  }

  void run_one_of(Shares::iterator place, std::unique_lock<std::mutex>& lock) {
    Share& share = place->second;
    share.in_turn = false;
    Item item = std::move(share.waiting.front());
    share.waiting.pop_front();
    --waiting;
    ++share.running;
    stranger_was_last = place->first.is_stranger();
    strangers_running += stranger_was_last ? 1 : 0;
    queue(place);
    if (next_turns() != nullptr) wake.notify_one();
    const auto noted = at_work.insert(at_work.end(), {place->first, item.loop->now(), pthread_self()});
    lock.unlock();

    if (item.interrupt == nullptr || item.interrupt->check().ok()) item.work();
    item.work = nullptr;
    item.loop->post(std::move(item.done));

    lock.lock();
    at_work.erase(noted);
    --share.running;
    strangers_running -= place->first.is_stranger() ? 1 : 0;
    queue(place);
    if (share.running == 0 && share.waiting.empty()) shares.erase(place);
  }

  struct AtWork {
    Caller who;
    Clock::TimePoint since;
    pthread_t thread;
  };

  const Limits limits;
  const std::size_t strangers_at_once;
  mutable std::mutex mutex;
  std::condition_variable wake;
  Shares shares;
  std::array<Turns, 2> turns;  // of those who are known, and of strangers
  std::size_t waiting = 0;
  std::size_t strangers_running = 0;
  bool stranger_was_last = false;
  bool stopping = false;
  std::list<AtWork> at_work;  // one for each task that runs
  std::vector<std::thread> workers;
};

FairPool::FairPool(std::size_t threads, Limits limits) : impl_(std::make_unique<Impl>(threads, limits)) {}

FairPool::~FairPool() = default;

std::vector<RunningTask> FairPool::running() const {
  std::vector<RunningTask> tasks;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& each : impl_->at_work) tasks.push_back({each.who.name(), each.since, each.thread});
  return tasks;
}

Status FairPool::submit(Loop& loop, Caller who, Task work, Task done, InterruptPtr interrupt) {
  return impl_->add(who, {&loop, std::move(work), std::move(done), std::move(interrupt)});
}

}  // namespace towline::io
