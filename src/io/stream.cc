#include "io/stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace towline::io {
namespace {

class UnreadStream final : public Stream {
 public:
  UnreadStream(std::unique_ptr<Stream> lower, std::string bytes)
      : bytes_(std::move(bytes)), lower_(std::move(lower)) {}

  void set_handler(StreamHandler* handler) override { lower_->set_handler(handler); }

  Transfer read(std::span<std::byte> buffer) override {
    if (bytes_.empty()) return lower_->read(buffer);
    const std::size_t n = std::min(buffer.size(), bytes_.size() - offset_);
    std::memcpy(buffer.data(), bytes_.data() + offset_, n);
    offset_ += n;
    if (offset_ == bytes_.size()) bytes_ = std::string();
    return {Outcome::kDone, n};
  }

  Transfer write(std::span<const iovec> pieces) override { return lower_->write(pieces); }
  void shutdown_write() override { lower_->shutdown_write(); }
  const Status& error() const override { return lower_->error(); }
  std::optional<PeerState> peer_state() const override { return lower_->peer_state(); }
  std::string_view alpn() const override { return lower_->alpn(); }
  bool secure() const override { return lower_->secure(); }
  std::string_view peer() const override { return lower_->peer(); }
  std::string_view peer_certificate_subject() const override { return lower_->peer_certificate_subject(); }

 private:
  std::string bytes_;  // empty once all has been read again
  std::size_t offset_ = 0;
  std::unique_ptr<Stream> lower_;
};

}  // namespace

std::unique_ptr<Stream> unread(std::unique_ptr<Stream> stream, std::string already_read) {
  if (already_read.empty()) return stream;
  return std::make_unique<UnreadStream>(std::move(stream), std::move(already_read));
}

}  // namespace towline::io
