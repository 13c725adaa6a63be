#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <sys/uio.h>

namespace towline::io {

/// A walk through the pieces of a write.
class Pieces {
 public:
  explicit Pieces(std::span<const iovec> pieces) : pieces_(pieces) { skip_empty(); }

  bool done() const { return pieces_.empty(); }
  bool last() const { return pieces_.size() == 1; }

  /// What is left of the piece at hand.
  std::span<const std::byte> front() const {
    const iovec& piece = pieces_.front();
    return std::span(static_cast<const std::byte*>(piece.iov_base), piece.iov_len).subspan(offset_);
  }

  void advance(std::size_t bytes) {
    while (bytes > 0) {
      const std::size_t n = std::min(bytes, pieces_.front().iov_len - offset_);
      offset_ += n;
      bytes -= n;
      skip_empty();
    }
  }

  /// Calls `use` with the next parts, in order, until they sum up to `limit` or `use` answers false; returns
  /// the sum of those it took.
  template <typename Use>
  std::size_t for_each(std::size_t limit, Use use) const {
    std::size_t total = 0;
    for (Pieces walk = *this; !walk.done() && total < limit;) {
      const auto part = walk.front().first(std::min(walk.front().size(), limit - total));
      if (!use(part)) break;
      total += part.size();
      walk.advance(part.size());
    }
    return total;
  }

  /// The next bytes in one piece, at most `limit`: the piece at hand if it gives as many as there can be,
  /// else copied together into `buffer`, which has room for `limit`.
  std::span<const std::byte> gather(std::size_t limit, std::span<std::byte> buffer) const {
    if (front().size() >= limit || last()) return front().first(std::min(front().size(), limit));
    std::byte* out = buffer.data();
    const std::size_t size = for_each(limit, [&](std::span<const std::byte> part) {
      std::memcpy(out, part.data(), part.size());
      out += part.size();
      return true;
    });
    return buffer.first(size);
  }

 private:
  void skip_empty() {
    while (!pieces_.empty() && offset_ == pieces_.front().iov_len) {
      pieces_ = pieces_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const iovec> pieces_;
  std::size_t offset_ = 0;  // into the first of them
};

}  // namespace towline::io
