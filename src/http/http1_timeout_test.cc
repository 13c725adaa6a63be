#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

using std::chrono::seconds;

struct Http1Timeouts : testing::Test {
  Http1Timeouts() {
    server = serve_http1(wire.loop, std::move(wire.under_test), requests, {}, [this] { gone = true; });
    wire.poll();
  }
  Wire wire{8192};
  Requests requests;
  bool gone = false;
  std::unique_ptr<ServerConnection> server;
};

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(Http1Timeouts, ASilentClientIsToldAndLeft) {
  wire.advance(seconds(9));
  EXPECT_FALSE(gone);
  wire.advance(seconds(2));
  EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 408 "));
  wire.advance(seconds(3));
  EXPECT_TRUE(gone);
}

TEST_F(Http1Timeouts, ATricklingHeadGetsNoMoreTime) {
  wire.send("GET / HTTP");
  for (int i = 0; i < 5; ++i) {
    wire.advance(seconds(2));
    wire.send("x");
  }
  EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 408 "));
  wire.raw.reset();
  wire.poll();
  EXPECT_TRUE(gone);
}

TEST_F(Http1Timeouts, AnIdleConnectionIsClosedSilently) {
  requests.on = [](auto& item) { send(*item.server, {}); };
  wire.exchange(kRequest);
  wire.advance(seconds(119));
  EXPECT_FALSE(gone);
  wire.exchange(kRequest);
  wire.advance(seconds(119));
  EXPECT_FALSE(gone);
  wire.advance(seconds(2));
  EXPECT_TRUE(gone);
  EXPECT_EQ(wire.receive(), "");
}

TEST_F(Http1Timeouts, TheNextHeadIsTimedFromItsFirstByte) {
  requests.on = [](auto& item) { send(*item.server, {}); };
  wire.exchange(kRequest);
  wire.advance(seconds(100));
  wire.send("G");
  wire.advance(seconds(9));
  EXPECT_FALSE(wire.closed);
  wire.advance(seconds(2));
  EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 408 "));
}

TEST_F(Http1Timeouts, ABodyThatStopsIsGivenUp) {
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\na");
  wire.advance(seconds(50));
  wire.send(std::string(100'000, 'b'));
  wire.advance(seconds(11));
  wire.advance(seconds(50));
  EXPECT_FALSE(requests.items[0]->failed);
  wire.advance(seconds(11));
  ASSERT_TRUE(requests.items[0]->failed);
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 408 "));
}

TEST_F(Http1Timeouts, ABodyThatTricklesIsGivenUp) {
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\na");
  for (int i = 0; i < 60; ++i) {
    wire.send("b");
    wire.advance(seconds(1));
  }
  EXPECT_TRUE(requests.items[0]->failed);
}

TEST_F(Http1Timeouts, ABodyOfAPeerThatMayPauseHasAllTime) {
  requests.on = [](auto& item) { item.server->allow_pauses(); };
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
  wire.advance(seconds(10'000));
  wire.send("b");
  EXPECT_TRUE(requests.items[0]->ended);
}

TEST_F(Http1Timeouts, ABodyThatStopsAfterTheResponseBeganClosesTheConnection) {
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na");
  requests.items[0]->server->respond({});
  wire.receive();
  wire.advance(seconds(61));
  EXPECT_TRUE(requests.items[0]->failed);
  EXPECT_TRUE(gone);
  EXPECT_EQ(wire.receive(), "");
}

TEST_F(Http1Timeouts, NothingHurriesAResponse) {
  wire.send(kRequest);
  wire.advance(seconds(100'000));
  EXPECT_FALSE(gone);
  send(*requests.items[0]->server, {});
  EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 200 "));
}

TEST_F(Http1Timeouts, AHandlerThatDoesNotReadIsNotTheClientsFault) {
  requests.on = [](auto& item) { item.auto_consume = false; };
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
  wire.send(std::string(400'000, 'x'));
  wire.advance(seconds(100));
  EXPECT_FALSE(requests.items[0]->failed);
}

TEST_F(Http1Timeouts, AClientThatTakesNextToNothingIsGivenUp) {
  wire.send(kRequest);
  ServerExchange& exchange = *requests.items[0]->server;
  exchange.respond({});
  exchange.write(bytes_of(std::string(200'000, 'x')));
  wire.poll();
  std::vector<std::byte> buffer(8192);
  for (int i = 0; i < 10; ++i) {
    wire.raw->read(buffer);
    wire.advance(seconds(5));
  }
  wire.advance(seconds(15));
  EXPECT_FALSE(requests.items[0]->failed);
  wire.raw->read(std::span(buffer).first(100));
  wire.advance(seconds(61));
  ASSERT_TRUE(requests.items[0]->failed);
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kUnavailable);
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace towline::http
