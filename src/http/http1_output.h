#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/stream.h"

namespace towline::http {

/// What a connection has to write, and how much of it was body. Holds copies only of what the transport has
/// not taken; memory goes when it is empty.
class Http1Output {
 public:
  struct Piece {
    std::string_view bytes;
    bool body = false;
  };

  /// Appends copies.
  void add(std::initializer_list<Piece> pieces);
  /// Lets `append` append text to the string it is given; what it appended is not body.
  template <typename Append>
  void add_text(Append append) {
    const std::size_t before = bytes_.size();
    append(bytes_);
    record(bytes_.size() - before, false);
  }
  /// Offers what waits and `pieces` to the stream in one write, and copies what it does not take.
  void add_through(io::Stream& stream, std::initializer_list<Piece> pieces);
  /// Offers what waits, if the stream is not known to be full. False when the stream is broken.
  bool flush(io::Stream& stream);
  /// The stream may take more.
  void unblock() { blocked_ = false; }

  bool empty() const { return bytes_.size() == used_; }
  /// Body bytes that wait.
  std::size_t unsent() const { return unsent_; }
  /// Body bytes that were taken since the last call.
  std::size_t take_sent() { return std::exchange(sent_, 0); }
  /// Bytes that were taken since the last call.
  std::size_t take_progress() { return std::exchange(progress_, 0); }
  bool broken() const { return broken_; }
  void clear();

 private:
  struct Run {
    std::size_t size;
    bool body;
  };

  void append(std::string_view bytes, bool body);
  void record(std::size_t size, bool body);
  void written(io::Transfer transfer, std::size_t offered);
  void drop(std::size_t bytes);

  std::string bytes_;  // from used_ on
  std::size_t used_ = 0;
  std::vector<Run> runs_;  // what bytes_ are made of, from runs_used_ on
  std::size_t runs_used_ = 0;
  std::size_t unsent_ = 0;
  std::size_t sent_ = 0;
  bool blocked_ = false;
  bool broken_ = false;
  std::size_t progress_ = 0;
};

}  // namespace towline::http
