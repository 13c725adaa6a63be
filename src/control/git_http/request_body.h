#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace towline::control::git_http {

/// Limit: bytes of a push before its objects, which is the list of references; a longer one is refused.
inline constexpr std::size_t kMaxCommandList = 4 * 1024 * 1024;
/// Limit: bytes of a request of clone or fetch; a longer one is refused.
inline constexpr std::size_t kMaxWants = 16 * 1024 * 1024;

/// The body of a request to Git on its way to a child process: unpacked, when it comes compressed, a piece at
/// a time; counted; and held back until there is enough to be worth a process.
class RequestBody {
 public:
  struct Kind {
    bool pushes = false;
    bool compressed = false;  // Content-Encoding: gzip
    std::uint64_t limit = 0;  // of unpacked bytes
  };
  explicit RequestBody(Kind kind);
  ~RequestBody();

  /// Bytes as they come.
  void add(std::string_view bytes) { raw_ += bytes; }
  void end() { ended_ = true; }

  /// Unpacks until a piece is ready; gives how many of the bytes that were added are used up by it.
  /// RESOURCE_EXHAUSTED over a limit, INVALID_ARGUMENT for what does not unpack.
  Result<std::size_t> unpack();
  /// What the child is to have next.
  std::string_view ready() const { return ready_; }
  void take(std::size_t bytes) { ready_.erase(0, bytes); }
  /// Nobody wants the rest; gives how many of the bytes that were added have not been used up.
  std::size_t drop() {
    ready_.clear();
    return std::exchange(raw_, {}).size();
  }

  /// The request has come to its end, or is long; or a push's list of references is complete.
  bool begun() const { return begun_ || (ended_ && used_up()); }
  /// There is no more to come, and nothing left.
  bool done() const { return ended_ && used_up() && ready_.empty(); }
  bool ended() const { return ended_; }

 private:
  struct Inflater;

  bool used_up() const;
  Status count(std::string_view bytes);
  Status walk_commands(std::string_view bytes);

  const Kind kind_;
  std::unique_ptr<Inflater> inflater_;
  std::string raw_;
  std::string ready_;
  std::uint64_t total_ = 0;
  bool begun_ = false;
  bool ended_ = false;
  // Of the list of references, whose lines carry their lengths in four digits; "0000" ends it.
  bool listed_ = false;
  std::string digits_;
  std::size_t line_left_ = 0;
};

}  // namespace towline::control::git_http
