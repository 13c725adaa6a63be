#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "control/store/records.h"
#include "io/address_policy.h"

namespace towline::control {

class AgentDoctor;
class Configurations;
class Database;
class EventHub;
class UsageRecorder;
class Vault;
namespace git {
class RepositoryStore;
}

inline Millis millis(Clock::WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// Limit: life of a personal or project access token that is made without an end (--token-lifetime-days); it
/// is refused afterwards.
inline constexpr Millis kTokenLife = Millis{365} * 24 * 3600 * 1000;

/// What every service of the control plane works with. It lives as long as the control plane.
struct Core {
  Database& db;
  git::RepositoryStore& repositories;
  EventHub& events;
  UsageRecorder& usage;
  Configurations& configurations;
  const Vault& vault;
  const Clock& clock;
  Logger log;
  std::string version;
  std::string external_url;            // without a slash at its end
  std::string kas_external_url;        // where agents connect
  std::string k8s_proxy_external_url;  // base of the Kubernetes API proxy
  std::string ca_certificate;          // PEM, when clients cannot know this server's CA; else empty
  std::string agent_image;             // repository of agentk's image; empty: the chart's own
  io::AddressPolicy outbound;          // for the addresses that users have this server dial
  /// Set before the first request; null where agents cannot be reached.
  AgentDoctor* agent_doctor = nullptr;
  /// After which tokens end that are made without saying when; 0: never.
  Millis token_life = kTokenLife;

  Millis now() const { return millis(clock.wall()); }
};

}  // namespace towline::control
