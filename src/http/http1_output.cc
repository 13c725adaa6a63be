#include "http/http1_output.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace towline::http {
namespace {

iovec to_iovec(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

void Http1Output::record(std::size_t size, bool body) {
  if (size == 0) return;
  if (body) unsent_ += size;
  if (runs_.size() > runs_used_ && runs_.back().body == body) {
    runs_.back().size += size;
  } else {
    runs_.push_back({size, body});
  }
}

void Http1Output::append(std::string_view bytes, bool body) {
  bytes_ += bytes;
  record(bytes.size(), body);
}

void Http1Output::add(std::initializer_list<Piece> pieces) {
  for (const Piece& piece : pieces) append(piece.bytes, piece.body);
}

// The transport has taken the first `bytes` of what waits.
void Http1Output::drop(std::size_t bytes) {
  used_ += bytes;
  while (bytes > 0) {
    Run& run = runs_[runs_used_];
    const std::size_t part = std::min(bytes, run.size);
    if (run.body) {
      unsent_ -= part;
      sent_ += part;
    }
    run.size -= part;
    bytes -= part;
    if (run.size == 0) ++runs_used_;
  }
  if (empty()) {
    bytes_ = {};
    runs_ = {};
    used_ = runs_used_ = 0;
  } else if (used_ > bytes_.size() / 2) {
    bytes_.erase(0, used_);
    runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(runs_used_));
    used_ = runs_used_ = 0;
  }
}

void Http1Output::written(io::Transfer transfer, std::size_t offered) {
  broken_ = broken_ || transfer.outcome == io::Outcome::kError;
  const std::size_t taken = transfer.outcome == io::Outcome::kDone ? transfer.bytes : 0;
  blocked_ = taken < offered;
  progress_ += taken;
}

void Http1Output::add_through(io::Stream& stream, std::initializer_list<Piece> pieces) {
  if (blocked_ || broken_) return add(pieces);
  std::array<iovec, 8> offered;
  std::size_t count = 0;
  std::size_t total = 0;
  const auto offer = [&](std::string_view bytes) {
    if (bytes.empty()) return;
    offered[count++] = to_iovec(bytes);
    total += bytes.size();
  };
  const std::size_t waiting = bytes_.size() - used_;
  offer(std::string_view(bytes_).substr(used_));
  for (const Piece& piece : pieces) offer(piece.bytes);
  if (total == 0) return;
  const io::Transfer transfer = stream.write(std::span(offered).first(count));
  written(transfer, total);
  std::size_t taken = transfer.outcome == io::Outcome::kDone ? transfer.bytes : 0;
  const std::size_t old = std::min(taken, waiting);
  drop(old);
  taken -= old;
  for (const Piece& piece : pieces) {
    const std::size_t part = std::min(taken, piece.bytes.size());
    if (piece.body) sent_ += part;
    taken -= part;
    append(piece.bytes.substr(part), piece.body);
  }
}

bool Http1Output::flush(io::Stream& stream) {
  if (broken_) return false;
  if (!blocked_ && !empty()) add_through(stream, {});
  return !broken_;
}

void Http1Output::clear() {
  bytes_ = {};
  runs_ = {};
  used_ = runs_used_ = unsent_ = sent_ = 0;
}

}  // namespace towline::http
