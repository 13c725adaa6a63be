#include "http/sniff.h"

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Stands for HTTP/2: reads what is there at once.
struct Http2 final : ServerConnection {
  Http2(std::unique_ptr<io::Stream> s, std::move_only_function<void()> c)
      : stream(std::move(s)), on_closed(std::move(c)) {}
  void drain() override { drained = true; }
  std::size_t active() const override { return 7; }
  bool is_known() const override { return false; }
  std::string read() {
    std::string all(100, '\0');
    std::string got;
    for (;;) {
      const auto r = stream->read(std::as_writable_bytes(std::span(all)));
      if (r.outcome != io::Outcome::kDone) return got;
      got += all.substr(0, r.bytes);
    }
  }
  std::unique_ptr<io::Stream> stream;
  std::move_only_function<void()> on_closed;
  bool drained = false;
};

struct Sniff : testing::Test {
  Sniff() {
    requests.on = [](auto& item) { send(*item.server, {.body = "ok"}); };
    connection = sniff(
        wire.loop, std::move(wire.under_test),
        [this](auto stream, auto on_closed) {
          return serve_http1(wire.loop, std::move(stream), requests, {}, std::move(on_closed));
        },
        [this](auto stream, auto on_closed) {
          auto made = std::make_unique<Http2>(std::move(stream), std::move(on_closed));
          http2 = made.get();
          return made;
        },
        std::chrono::seconds(10),
        [this] {
          gone = true;
          connection.reset();
        });
  }
  Wire wire;
  Requests requests;
  Http2* http2 = nullptr;
  bool gone = false;
  std::unique_ptr<ServerConnection> connection;
};

TEST_F(Sniff, KnowsHttp2ByItsWholePreface) {
  wire.send_by_bytes(kPreface.substr(0, kPreface.size() - 1));
  EXPECT_EQ(http2, nullptr);
  wire.send("\nrest");
  ASSERT_NE(http2, nullptr);
  EXPECT_EQ(http2->read(), std::string(kPreface) + "rest");
  EXPECT_EQ(connection->active(), 7U);
  connection->drain();
  EXPECT_TRUE(http2->drained);
}

TEST_F(Sniff, AllElseIsHttp1AsSoonAsItDiffers) {
  wire.send("P");
  EXPECT_TRUE(
      wire.exchange("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").ends_with("\r\n\r\nok"));
  EXPECT_TRUE(wire.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("\r\n\r\nok"));
  connection->drain();
  wire.poll();
  EXPECT_TRUE(gone);
}

TEST_F(Sniff, AnotherPrefaceIsRefusedByHttp1) {
  EXPECT_TRUE(wire.exchange("PRI * HTTP/2.0\r\n\r\nXX").starts_with("HTTP/1.1 505 "));
}

TEST_F(Sniff, ASilentPeerIsClosed) {
  wire.send("PRI");
  wire.advance(std::chrono::seconds(11));
  EXPECT_TRUE(gone);
}

TEST_F(Sniff, APeerThatLeavesIsClosed) {
  wire.send("PRI");
  wire.raw.reset();
  wire.poll();
  EXPECT_TRUE(gone);
}

TEST_F(Sniff, DrainBeforeTheFirstByteCloses) {
  wire.poll();
  connection->drain();
  wire.poll();
  EXPECT_TRUE(gone);
}

TEST_F(Sniff, MayBeDestroyedAtAnyTime) {
  connection.reset();
  wire.send("PRI");
  EXPECT_FALSE(gone);
}

}  // namespace
}  // namespace towline::http
