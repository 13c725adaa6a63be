#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "cli/api_client.h"
#include "cli/environment.h"

namespace towline::cli {

/// A personal access token that may do nothing but reach clusters.
struct ProxyToken {
  Secret value;
  std::string expires;  // RFC 3339, UTC
};

/// The proxy tokens of one login. One serves all agents; it is kept in the cache folder until it ends.
class ProxyTokens {
 public:
  ProxyTokens(const Environment& environment, ApiClient& api, const Clock& clock)
      : environment_(environment), api_(api), clock_(clock) {}

  /// The kept token if it is good for a while and the server still accepts it, else a new one, which is kept.
  /// Of several processes that ask at once one makes it, and the others wait for it.
  Result<ProxyToken> get();
  /// A new one that is not kept.
  Result<ProxyToken> create();
  /// Revokes and forgets the kept one; a server that is away does not keep it from being forgotten.
  Status forget();

 private:
  Result<std::filesystem::path> file() const;
  Result<bool> usable(const ProxyToken& token);

  const Environment& environment_;
  ApiClient& api_;
  const Clock& clock_;
};

/// The date (YYYY-MM-DD) that a token made at `now` expires on. Tokens end at 00:00 UTC of that date, so it
/// is the next one; just before midnight the one after, so that a token is always good for a few minutes.
std::string expiry_date(Clock::WallTime now);

/// 2026-01-31T00:00:00Z; such texts sort by time.
std::string rfc3339(Clock::WallTime time);

}  // namespace towline::cli
