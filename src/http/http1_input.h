#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "io/loop.h"
#include "io/stream.h"

namespace towline::http {

/// The bytes of a connection that have been read and not used yet. They lie in the loop's scratch buffer
/// while the connection works on them, and only what is left over at its end is copied to memory of its own.
class Http1Input {
 public:
  explicit Http1Input(io::Loop& loop) : loop_(loop) {}

  /// Reads once, at most about `limit` bytes, behind what is here.
  io::Transfer fill(io::Stream& stream, std::size_t limit);

  std::string_view bytes() const { return in_scratch_ ? view_ : std::string_view(own_).substr(used_); }
  std::size_t size() const { return bytes().size(); }
  void consume(std::size_t bytes);
  void clear();

  /// Must be called before control returns to the loop.
  void settle();
  /// All bytes, for their next owner.
  std::string take();

 private:
  void forget_used();

  io::Loop& loop_;
  bool in_scratch_ = false;
  std::string_view view_;  // while in_scratch_
  std::string own_;        // else, from `used_` on
  std::size_t used_ = 0;
};

}  // namespace towline::http
