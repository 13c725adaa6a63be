#include "http/sniff.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace towline::http {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class Guess { kUnknown, kHttp1, kHttp2 };

Guess guess(std::string_view seen) {
  if (!kHttp2Preface.starts_with(seen)) return Guess::kHttp1;
  return seen.size() == kHttp2Preface.size() ? Guess::kHttp2 : Guess::kUnknown;
}

class Sniffer final : public ServerConnection, public io::StreamHandler {
 public:
  Sniffer(io::Loop& loop, std::unique_ptr<io::Stream> stream, MakeConnection http1, MakeConnection http2,
          std::chrono::milliseconds timeout, std::move_only_function<void()> on_closed)
      : loop_(loop),
        stream_(std::move(stream)),
        http1_(std::move(http1)),
        http2_(std::move(http2)),
        on_closed_(std::move(on_closed)),
        timer_(loop, [this] { close(); }) {
    stream_->set_handler(this);
    timer_.start(timeout);
    later([this] { look(); });
  }

  void drain() override {
    if (connection_) return connection_->drain();
    draining_ = true;
    later([this] { close(); });
  }
  std::size_t active() const override { return connection_ ? connection_->active() : 0; }

  bool is_known() const override { return connection_ && connection_->is_known(); }

  void on_readable() override { look(); }
  void on_writable() override {}

 private:
  void look();
  void decide(bool http2);
  void close();
  template <typename Call>
  void later(Call call) {
    loop_.defer([call = std::move(call), alive = std::weak_ptr<char>(alive_)]() mutable {
      if (!alive.expired()) call();
    });
  }

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  MakeConnection http1_;
  MakeConnection http2_;
  std::move_only_function<void()> on_closed_;
  std::string seen_;
  bool draining_ = false;
  std::unique_ptr<ServerConnection> connection_;
  io::Timer timer_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

void Sniffer::look() {
  while (stream_ != nullptr) {
    std::array<std::byte, kHttp2Preface.size()> buffer;
    const auto room = std::span(buffer).first(kHttp2Preface.size() - seen_.size());
    const io::Transfer read = stream_->read(room);
    if (read.outcome == io::Outcome::kWouldBlock) return;
    if (read.outcome != io::Outcome::kDone) return close();
    seen_.append(reinterpret_cast<const char*>(buffer.data()), read.bytes);
    const Guess protocol = guess(seen_);
    if (protocol != Guess::kUnknown) return decide(protocol == Guess::kHttp2);
  }
}

void Sniffer::decide(bool http2) {
  timer_.cancel();
  stream_->set_handler(nullptr);
  auto stream = io::unread(std::move(stream_), std::exchange(seen_, {}));
  connection_ = (http2 ? http2_ : http1_)(std::move(stream), std::exchange(on_closed_, nullptr));
  http1_ = nullptr;
  http2_ = nullptr;
  if (draining_) connection_->drain();
}

void Sniffer::close() {
  if (stream_ == nullptr) return;
  timer_.cancel();
  stream_.reset();
  if (auto callback = std::exchange(on_closed_, nullptr)) callback();  // may destroy this
}

}  // namespace

std::unique_ptr<ServerConnection> sniff(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                        MakeConnection http1, MakeConnection http2,
                                        std::chrono::milliseconds timeout,
                                        std::move_only_function<void()> on_closed) {
  return std::make_unique<Sniffer>(loop, std::move(stream), std::move(http1), std::move(http2), timeout,
                                   std::move(on_closed));
}

}  // namespace towline::http
