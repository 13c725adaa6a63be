#pragma once

#include <algorithm>
#include <cstddef>

#include "http/exchange.h"

namespace towline::grpc {

/// Keeps the account of received bytes between an exchange, which counts body bytes, and a call, which counts
/// messages. Credit of the exchange is held back for messages that the handler has and has not consumed; the
/// bytes of a message that is still incomplete are given back, since it might be larger than the window, but
/// not while a window's worth of messages is unconsumed: a call holds at most a window and the largest
/// message. What all calls together hold of incomplete ones is bounded by budget.h.
class Inbox {
 public:
  explicit Inbox(http::Exchange& exchange) : exchange_(exchange) {}

  void received(std::size_t bytes) { withheld_ += bytes; }
  void delivered(std::size_t message_bytes) { outstanding_ += message_bytes; }
  void consumed(std::size_t message_bytes) {
    outstanding_ -= std::min(outstanding_, message_bytes);
    release();
  }
  void release() {
    if (outstanding_ >= kWindow) return;
    const std::size_t keep = std::min(withheld_, outstanding_);
    const std::size_t give = withheld_ - keep;
    withheld_ = keep;
    if (give > 0) exchange_.consume(give);
  }

 private:
  static constexpr std::size_t kWindow = 256 * 1024;
  http::Exchange& exchange_;
  std::size_t withheld_ = 0;     // received body bytes not given back
  std::size_t outstanding_ = 0;  // delivered message bytes not consumed
};

}  // namespace towline::grpc
