#include "http/load.h"

namespace towline::http {
namespace {

bool take(Load* load, std::size_t limit) {
  if (load == nullptr) return true;
  if (load->large_heads.fetch_add(1, std::memory_order_relaxed) < limit) return true;
  load->large_heads.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void give_back(Load* load) {
  if (load != nullptr) load->large_heads.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

bool LargeHead::enter(const Limits& limits) {
  if (entered_) return true;
  if (!take(loads_.address.get(), limits.large_heads_of_address)) return false;
  if (!take(loads_.host.get(), limits.large_heads_of_host)) {
    give_back(loads_.address.get());
    return false;
  }
  return entered_ = true;
}

void LargeHead::leave() {
  if (!entered_) return;
  entered_ = false;
  give_back(loads_.address.get());
  give_back(loads_.host.get());
}

}  // namespace towline::http
