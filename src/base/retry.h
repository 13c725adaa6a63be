#pragma once

#include <chrono>
#include <optional>

namespace towline {

/// What is known of an attempt that failed.
enum class Attempt {
  kNotProcessed,  // the peer says that it has done nothing with it
  kUnanswered,    // nothing came back: it may have been carried out
  kFinal,         // it was carried out in part, or would fail again
};

/// How often, how fast and after what an operation is made again: a constant beside the operation's code. The
/// first repeat is made at once, the n-th after (n - 1) times `pause`. (Connections that are kept up for ever
/// come back by Backoff, which has no count and a growing pause.)
struct RetryPolicy {
  int repeats = 1;
  std::chrono::milliseconds pause{0};
};

/// The account of one operation. A value type: it holds no timer and makes no attempt.
class Retry {
 public:
  explicit constexpr Retry(RetryPolicy policy) : policy_(policy) {}

  /// The pause after which the operation may be made again; nothing: it has failed. `safe`: nothing is
  /// changed by carrying it out twice, so that an attempt which may have been carried out is made again as
  /// well.
  constexpr std::optional<std::chrono::milliseconds> next(Attempt failed, bool safe) {
    const bool may = failed == Attempt::kNotProcessed || (failed == Attempt::kUnanswered && safe);
    if (!may || made_ >= policy_.repeats) return std::nullopt;
    return policy_.pause * made_++;
  }

 private:
  RetryPolicy policy_;
  int made_ = 0;
};

}  // namespace towline
