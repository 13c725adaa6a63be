#include <algorithm>
#include <cstring>
#include <utility>

#include "io/stream.h"

namespace towline::io {
namespace {

class Unread final : public Stream {
 public:
  Unread(std::unique_ptr<Stream> inner, std::string first)
      : inner_(std::move(inner)), first_(std::move(first)) {}
  void set_handler(StreamHandler* handler) override { inner_->set_handler(handler); }
  Transfer read(std::span<std::byte> buffer) override {
    if (first_.empty()) return inner_->read(buffer);
    const std::size_t n = std::min(buffer.size(), first_.size());
    std::memcpy(buffer.data(), first_.data(), n);
    first_.erase(0, n);
    return {Outcome::kDone, n};
  }
  Transfer write(std::span<const iovec> pieces) override { return inner_->write(pieces); }
  void shutdown_write() override { inner_->shutdown_write(); }
  const Status& error() const override { return inner_->error(); }
  std::string_view peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
  std::string first_;
};

}  // namespace

// Stands in until io has it; weak, so that the two do not collide.
__attribute__((weak)) std::unique_ptr<Stream> unread(std::unique_ptr<Stream> stream,
                                                     std::string already_read) {
  return std::make_unique<Unread>(std::move(stream), std::move(already_read));
}

}  // namespace towline::io
