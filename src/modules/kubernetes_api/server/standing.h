#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "control/backend.h"
#include "io/loop.h"
#include "modules/kubernetes_api/server/access_cache.h"

namespace towline::kubernetes_api {

/// Asks about running requests again, so that what has been revoked ends: once a second at most, and only
/// when the control plane has changed (Backend::access_generation) or a credential has expired. Requests of
/// one credential are asked about together. Each loop has a round of its own; an idle loop has none.
class Standing {
  struct Round;

 public:
  Standing(control::Backend& backend, AccessCache& cache, const Clock& clock);
  ~Standing();
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;

  /// A request under way. Lives on one loop, and leaves before it is destroyed.
  class Request {
   public:
    /// It may not go on: its credential has ended, its user has lost access, or has it as somebody else now.
    virtual void withdrawn(const Status& why) = 0;
    virtual std::weak_ptr<Request> weak() = 0;

    virtual ~Request() = default;

   protected:
    std::int64_t agent_id_ = 0;
    Secret token_;
    std::shared_ptr<const CachedAccess> access_;
    std::uint64_t generation_ = 0;  // of access_

   private:
    friend class Standing;
    Round* round_ = nullptr;
    Request* previous_ = nullptr;
    Request* next_ = nullptr;
  };

  /// From now on `request` is asked about. On its loop.
  void enter(io::Loop& loop, Request& request);
  void leave(Request& request);

 private:
  using Group = std::vector<std::weak_ptr<Request>>;
  using Groups = std::map<std::pair<std::int64_t, std::string_view>, Group>;

  void look(Round& round);
  void look(Request& request, std::uint64_t generation, Groups& groups);
  void ask(io::Loop& loop, Group group, std::uint64_t generation);
  static void judge(Request& request, const std::shared_ptr<const CachedAccess>& access,
                    std::uint64_t generation);

  control::Backend& backend_;
  AccessCache& cache_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<io::Loop*, std::unique_ptr<Round>> rounds_;
};

}  // namespace towline::kubernetes_api
