#include "http/http1_input.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace towline::http {
namespace {

// Up to this much is copied to the front of the scratch buffer, so that what follows lies behind it there.
// More would leave too little room.
constexpr std::size_t kMaxMoved = 16 * 1024;

}  // namespace

io::Transfer Http1Input::fill(io::Stream& stream, std::size_t limit) {
  const std::span<std::byte> scratch = loop_.scratch();
  const std::size_t kept = size();
  const bool here = kept <= kMaxMoved;
  // memmove: the rest may lie in the scratch buffer already.
  if (here && kept > 0) std::memmove(scratch.data(), bytes().data(), kept);
  if (!here) settle();
  const auto room = here ? scratch.subspan(kept) : scratch;
  const io::Transfer read = stream.read(room.first(std::min(room.size(), std::max<std::size_t>(limit, 1))));
  const std::size_t got = read.outcome == io::Outcome::kDone ? read.bytes : 0;
  const auto* text = reinterpret_cast<const char*>(scratch.data());
  if (here) {
    if (kept + got > 0 && (got > 0 || in_scratch_)) {
      view_ = {text, kept + got};
      in_scratch_ = true;
      own_.clear();
      used_ = 0;
    }
  } else {
    own_.append(text, got);
  }
  return read;
}

void Http1Input::consume(std::size_t bytes) {
  if (in_scratch_) {
    view_.remove_prefix(bytes);
  } else {
    used_ += bytes;
  }
}

void Http1Input::clear() {
  in_scratch_ = false;
  own_ = {};
  used_ = 0;
}

void Http1Input::settle() {
  if (in_scratch_) {
    own_.assign(view_);
    used_ = 0;
    in_scratch_ = false;
  } else if (used_ > own_.size() / 2) {
    own_.erase(0, used_);
    used_ = 0;
  }
  if (own_.empty()) own_.shrink_to_fit();
}

std::string Http1Input::take() {
  std::string all(bytes());
  clear();
  return all;
}

}  // namespace towline::http
