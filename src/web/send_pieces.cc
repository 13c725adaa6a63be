#include "web/send_pieces.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace towline::web {
namespace {

// Large enough that a file takes few turns, small enough that a hundred stalled streams cost little.
constexpr std::size_t kPiece = 32 * 1024;

// Owns itself and the exchange until all is written or the reader is gone.
class Sender final : public http::ExchangeHandler {
 public:
  Sender(std::unique_ptr<http::ServerExchange> exchange, std::string_view content)
      : exchange_(std::move(exchange)), rest_(content) {
    exchange_->set_handler(this);
  }

  // Deletes the sender when that was all.
  void write_piece() {
    exchange_->write(std::as_bytes(std::span(rest_.substr(0, kPiece))));
    rest_.remove_prefix(std::min(kPiece, rest_.size()));
    if (!rest_.empty()) return;
    exchange_->end();
    delete this;
  }

  // A body that nobody asked for is taken and forgotten, so that the connection can go on.
  void on_body(std::span<const std::byte> data) override { exchange_->consume(data.size()); }
  void on_end(http::Headers) override {}
  void on_sent(std::size_t) override {
    if (exchange_->unsent() < kPiece / 2) write_piece();
  }
  void on_failed(Status) override { delete this; }

 private:
  std::unique_ptr<http::ServerExchange> exchange_;
  std::string_view rest_;
};

}  // namespace

void send_pieces(std::unique_ptr<http::ServerExchange> exchange, std::string_view content) {
  (new Sender(std::move(exchange), content))->write_piece();
}

}  // namespace towline::web
