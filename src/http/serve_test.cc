#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

// A stream that says that TLS agreed on a protocol.
class AlpnStream final : public io::Stream {
 public:
  AlpnStream(std::unique_ptr<io::Stream> inner, std::string alpn)
      : inner_(std::move(inner)), alpn_(std::move(alpn)) {}
  void set_handler(io::StreamHandler* handler) override { inner_->set_handler(handler); }
  io::Transfer read(std::span<std::byte> buffer) override { return inner_->read(buffer); }
  io::Transfer write(std::span<const iovec> pieces) override { return inner_->write(pieces); }
  void shutdown_write() override { inner_->shutdown_write(); }
  const Status& error() const override { return inner_->error(); }
  std::string_view alpn() const override { return alpn_; }
  bool secure() const override { return true; }
  std::string_view peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<io::Stream> inner_;
  std::string alpn_;
};

struct Serve : testing::Test {
  using Connect = decltype(&connect_http1);

  // One request by `connect` to a server whose stream has this ALPN; its version as the server saw it.
  std::optional<Version> ask(const std::string& alpn, Connect connect) {
    FakeClock clock;
    io::Loop loop(clock);
    Requests requests;
    requests.on = [](auto& item) { send(*item.server, {.body = item.head.scheme}); };
    auto [a, b] = io::stream_pair(loop);
    auto end = alpn.empty() ? std::move(a) : std::make_unique<AlpnStream>(std::move(a), alpn);
    auto server = serve(loop, std::move(end), requests, {}, [] {});
    auto client = connect(loop, std::move(b), {}, [](Status) {});
    std::string body;
    const Request request{.head = {.method = "GET", .target = "/", .scheme = "https", .authority = "a"}};
    auto operation = fetch(loop, *client, request, 100, [&](Result<Response> r) { body = r ? r->body : ""; });
    while (loop.poll() > 0) {
    }
    EXPECT_FALSE(body.empty());
    server->drain();
    while (loop.poll() > 0) {
    }
    EXPECT_EQ(client->available(), 0U);
    if (requests.items.empty()) return std::nullopt;
    const Version version = requests.items[0]->head.version;
    requests.items.clear();
    return version;
  }
};

TEST_F(Serve, FollowsAlpn) {
  EXPECT_EQ(ask("h2", connect_http2), Version::kHttp2);
  EXPECT_EQ(ask("http/1.1", connect_http1), Version::kHttp11);
}

TEST_F(Serve, WithoutAlpnLooksAtTheFirstBytes) {
  EXPECT_EQ(ask("", connect_http2), Version::kHttp2);
  EXPECT_EQ(ask("", connect_http1), Version::kHttp11);
}

}  // namespace
}  // namespace towline::http
