#include "io/descriptor.h"

#include <cstddef>
#include <new>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "io/loop.h"

namespace towline::io {

namespace {

// Room for the one operation that a wait in one direction is, so that waiting allocates nothing.
struct Slot {
  static constexpr std::size_t kSize = 128;
  alignas(std::max_align_t) std::byte bytes[kSize];
  bool used = false;
};

// Hands out a slot, and heap memory should the operation not fit.
template <typename T>
struct SlotAllocator {
  using value_type = T;
  explicit SlotAllocator(Slot* s) : slot(s) {}
  template <typename U>
  SlotAllocator(const SlotAllocator<U>& other) : slot(other.slot) {}

  T* allocate(std::size_t n) {
    if (slot->used || n * sizeof(T) > Slot::kSize) return static_cast<T*>(::operator new(n * sizeof(T)));
    slot->used = true;
    return reinterpret_cast<T*>(slot->bytes);
  }
  void deallocate(T* p, std::size_t) {
    if (reinterpret_cast<std::byte*>(p) == slot->bytes) {
      slot->used = false;
    } else {
      ::operator delete(p);
    }
  }
  template <typename U>
  bool operator==(const SlotAllocator<U>& other) const {
    return slot == other.slot;
  }

  Slot* slot;
};

}  // namespace

// Outlives the descriptor while Asio holds a wait, which refers to it.
struct Descriptor::State {
  using Socket = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  using Notify = void (Watcher::*)();

  struct Direction {
    Socket::wait_type what;
    Notify notify;
    bool waiting = false;
    Slot slot;
  };

  // The completion handler of a wait.
  struct Wait {
    using allocator_type = SlotAllocator<std::byte>;
    allocator_type get_allocator() const { return allocator_type(&direction->slot); }
    void operator()(boost::system::error_code) {
      direction->waiting = false;
      if (state->watcher != nullptr) (state->watcher->*direction->notify)();
    }
    std::shared_ptr<State> state;
    Direction* direction;
  };

  State(Loop& loop, Watcher* w) : socket(loop.context().get_executor()), watcher(w) {}

  static void wait(const std::shared_ptr<State>& state, Direction& direction) {
    if (direction.waiting) return;
    direction.waiting = true;
    state->socket.async_wait(direction.what, Wait{state, &direction});
  }

  Socket socket;
  Watcher* watcher;
  Direction reading{Socket::wait_read, &Watcher::ready_to_read};
  Direction writing{Socket::wait_write, &Watcher::ready_to_write};
};

Descriptor::Descriptor(Loop& loop, int fd, Watcher* watcher)
    : state_(std::make_shared<State>(loop, watcher)), fd_(fd) {
  boost::system::error_code error;
  state_->socket.assign(fd, error);
  if (!error) return;
  ::close(fd);
  fd_ = -1;
}

Descriptor::~Descriptor() {
  state_->watcher = nullptr;
  boost::system::error_code ignored;
  state_->socket.close(ignored);
}

void Descriptor::wait_to_read() { State::wait(state_, state_->reading); }

void Descriptor::wait_to_write() { State::wait(state_, state_->writing); }

int Descriptor::release() {
  state_->watcher = nullptr;
  fd_ = -1;
  return state_->socket.release();
}

}  // namespace towline::io
