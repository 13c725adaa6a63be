#include "control/api/throttle.h"

#include "base/encoding.h"
#include "base/text.h"

namespace towline::control::api {
namespace {

constexpr FailureThrottle::Policy kPlace{.per_minute = 10, .burst = 20};
constexpr FailureThrottle::Policy kNewcomer{.per_minute = 1, .burst = 2};
/// Limit: wrong passwords for one login from everywhere, refilled with 20 a minute; over it each block of
/// addresses has two tries and one more a minute.
constexpr FailureThrottle::Policy kGuesses{.per_minute = 20, .burst = 60};
/// Limit: pairs of login and address that are remembered as good; over it all are forgotten, and those people
/// count as newcomers.
constexpr std::size_t kMaxKnown = 10'000;

// Logins are anybody's text; what is kept of them is short.
std::string key(std::string_view login) { return sha256_hex(lower_case(login)) + " "; }

std::string place_of(std::string_view login, std::string_view peer) {
  return key(login) + address_block(peer, true);
}
std::string block_of(std::string_view login, std::string_view peer) {
  return key(login) + address_block(peer);
}

}  // namespace

LoginThrottle::LoginThrottle(const Clock& clock)
    : places_(clock, kPlace),
      blocks_(clock, kPlace),
      newcomers_(clock, kNewcomer),
      addresses_(clock, kPlace),
      logins_(clock, kGuesses) {}

bool LoginThrottle::is_known(const std::string& place) {
  const std::lock_guard lock(mutex_);
  return known_.contains(place);
}

bool LoginThrottle::may_try(std::string_view login, std::string_view peer) {
  const std::string place = place_of(login, peer);
  if (is_known(place)) return !places_.exhausted(place);
  const std::string block = block_of(login, peer);
  if (addresses_.exhausted(address_block(peer, true)) || blocks_.exhausted(block)) return false;
  return !logins_.exhausted(key(login)) || !newcomers_.exhausted(block);
}

void LoginThrottle::failed(std::string_view login, std::string_view peer) {
  const std::string place = place_of(login, peer);
  if (is_known(place)) {
    places_.failed(place);
    return;
  }
  const std::string block = block_of(login, peer);
  addresses_.failed(address_block(peer, true));
  blocks_.failed(block);
  newcomers_.failed(block);
  logins_.failed(key(login));
}

void LoginThrottle::succeeded(std::string_view login, std::string_view peer) {
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_.insert(place_of(login, peer));
}

}  // namespace towline::control::api
