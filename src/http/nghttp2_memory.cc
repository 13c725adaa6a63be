#include "http/nghttp2_memory.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sys/mman.h>

namespace towline::http {
namespace {

#if defined(__has_feature)
#define TOWLINE_HAS_FEATURE(x) __has_feature(x)  // clang
#else
#define TOWLINE_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TOWLINE_HAS_FEATURE(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// nghttp2 asks for a frame of 16 KiB and its head; slots are whole pages.
constexpr std::size_t kMinBlock = 16 * 1024;
constexpr std::size_t kSlot = 20 * 1024;
// Address space, not memory: room for 800,000 connections. After that malloc serves.
constexpr std::size_t kRegion = 16UL * 1024 * 1024 * 1024;

// Slots of one mapping. One that comes back is the next to go out, so that pages once written are written
// again.
class FrameBuffers {
 public:
  FrameBuffers() {
    void* const region =
        ::mmap(nullptr, kRegion, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) return;
    ::madvise(region, kRegion, MADV_NOHUGEPAGE);
    begin_ = next_ = static_cast<std::byte*>(region);
    end_ = begin_ + kRegion;
  }

  bool owns(const void* block) const { return block >= begin_ && block < end_; }

  void* take() {
    const std::lock_guard lock(mutex_);
    if (free_ != nullptr) {
      Free* const slot = free_;
      free_ = slot->next;
      return slot;
    }
    if (next_ + kSlot > end_) return nullptr;
    void* const slot = next_;
    next_ += kSlot;
    return slot;
  }

  void give_back(void* block) {
    const std::lock_guard lock(mutex_);
    auto* const slot = static_cast<Free*>(block);
    slot->next = free_;
    free_ = slot;
  }

 private:
  struct Free {
    Free* next;
  };
  std::mutex mutex_;
  std::byte* begin_ = nullptr;
  std::byte* end_ = nullptr;
  std::byte* next_ = nullptr;
  Free* free_ = nullptr;
};

// Never destroyed: sessions may outlive the statics.
FrameBuffers& buffers() {
  static FrameBuffers* const all = new FrameBuffers;
  return *all;
}

void* take(std::size_t size, void*) {
  if (size >= kMinBlock && size <= kSlot) {
    if (void* const slot = buffers().take()) return slot;
  }
  return std::malloc(size);
}

void give_back(void* block, void*) {
  if (buffers().owns(block)) return buffers().give_back(block);
  std::free(block);
}

void* take_zeroed(std::size_t count, std::size_t size, void*) { return std::calloc(count, size); }

void* take_again(void* block, std::size_t size, void*) {
  if (block == nullptr) return take(size, nullptr);  // as nghttp2 does for its buffers
  if (!buffers().owns(block)) return std::realloc(block, size);
  if (size <= kSlot) return block;
  void* const larger = std::malloc(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, block, kSlot);
  buffers().give_back(block);
  return larger;
}

}  // namespace

nghttp2_mem* nghttp2_memory() {
  static nghttp2_mem memory{nullptr, take, give_back, take_zeroed, take_again};
  return kSanitized ? nullptr : &memory;
}

}  // namespace towline::http
