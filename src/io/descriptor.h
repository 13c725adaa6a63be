#pragma once

#include <memory>

namespace towline::io {

class Loop;

/// A non-blocking file descriptor that a loop watches. Owns the descriptor. Lives on its loop.
class Descriptor {
 public:
  /// Learns of readiness; calls come from the loop, never from inside a call to the descriptor. The watcher
  /// may destroy the descriptor in them.
  class Watcher {
   public:
    virtual void ready_to_read() {}
    virtual void ready_to_write() {}

   protected:
    ~Watcher() = default;
  };

  /// Takes `fd`. Should the system refuse to watch it, it is closed: the next system call reports EBADF.
  Descriptor(Loop& loop, int fd, Watcher* watcher);
  /// Closes the descriptor; the watcher is not called any more.
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int fd() const { return fd_; }

  /// Asks for one call to ready_to_read when there are bytes, the end or an error. Asking again while a wait
  /// is under way changes nothing.
  void wait_to_read();
  void wait_to_write();

  /// Gives the descriptor back to the caller, open; waits are dropped.
  int release();

 private:
  struct State;
  std::shared_ptr<State> state_;
  int fd_;
};

}  // namespace towline::io
