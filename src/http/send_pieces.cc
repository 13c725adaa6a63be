#include "http/send_pieces.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace towline::http {
namespace {

// Large enough that a file takes few turns, small enough that a hundred stalled streams cost little.
constexpr std::size_t kPiece = 32 * 1024;

// Owns itself and the exchange until all is written or the reader is gone.
class Sender final : public ExchangeHandler {
 public:
  Sender(std::unique_ptr<ServerExchange> exchange, std::string_view content,
         std::shared_ptr<const void> owner)
      : owner_(std::move(owner)), exchange_(std::move(exchange)), rest_(content) {
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
  void on_end(Headers) override {}
  void on_sent(std::size_t) override {
    if (exchange_->unsent() < kPiece / 2) write_piece();
  }
  void on_failed(Status) override { delete this; }

 private:
  std::shared_ptr<const void> owner_;
  std::unique_ptr<ServerExchange> exchange_;
  std::string_view rest_;
};

struct Kept {
  Response response;
  Budget::Part part;
};

}  // namespace

void send_pieces(std::unique_ptr<ServerExchange> exchange, std::string_view content,
                 std::shared_ptr<const void> owner) {
  (new Sender(std::move(exchange), content, std::move(owner)))->write_piece();
}

void send(const RequestHead& head, std::unique_ptr<ServerExchange> exchange, Response response,
          Budget::Part part) {
  if (response.body.size() <= kPiece) return send(*exchange, response);
  const bool bodiless = head.method == "HEAD" || response.status == 204 || response.status == 304;
  exchange->respond({.status = response.status,
                     .headers = std::move(response.headers),
                     .content_length = response.body.size()},
                    bodiless);
  if (bodiless) return;
  auto kept = std::make_shared<Kept>(Kept{std::move(response), std::move(part)});
  const std::string_view content = kept->response.body;
  send_pieces(std::move(exchange), content, std::move(kept));
}

}  // namespace towline::http
