#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "io/stream.h"

namespace towline::io {

class Loop;

/// Accepts TCP connections on one address and one loop.
class Listener {
 public:
  using Callback = std::move_only_function<void(std::unique_ptr<Stream>)>;
  virtual ~Listener() = default;
  /// "127.0.0.1:8150", with the port the system chose when 0 was asked for.
  virtual std::string address() const = 0;
  virtual std::uint16_t port() const = 0;
};

/// Listens on `host` ("" or "0.0.0.0": all; names are not resolved) and `port` (0: any free one). Accepted
/// streams are plain TCP with TCP_NODELAY, on `loop`. With `shared_port` several loops listen on one port
/// and the kernel spreads connections (SO_REUSEPORT). When file descriptors run out accepting pauses for
/// 100 ms and goes on.
Result<std::unique_ptr<Listener>> listen(Loop& loop, const std::string& host, std::uint16_t port,
                                         bool shared_port, Listener::Callback on_accept);

}  // namespace towline::io
