#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/load.h"

namespace towline::http {

/// What each address has in use: an IPv4 address, or the /64 of an IPv6 one, which is a single customer's.
/// Safe from any thread.
class Addresses {
 public:
  /// The load of `peer` ("192.0.2.1:443"), shared by all that ask for it while one of them holds it. Null for
  /// what is no address.
  std::shared_ptr<Load> find(std::string_view peer);

  /// How many addresses are remembered; for tests.
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<Load>> loads_;
  std::size_t prune_at_ = 1024;
};

}  // namespace towline::http
