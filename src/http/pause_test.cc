#include <gtest/gtest.h>

#include "http/http1_test_support.h"

// Readers that pause, over both protocols: the slow are waited for, the dead are not.
namespace towline::http {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Http1Pauses : testing::Test, Served {
  // A response of which the client has taken next to nothing.
  Requests::Item& answer(bool may_pause) {
    serve();
    wire.send(kGet);
    Requests::Item& item = *requests.items.at(0);
    if (may_pause) item.server->allow_pauses();
    item.server->respond({.content_length = kSize});
    item.server->write(bytes_of(std::string(kSize, 'x')));
    item.server->end();
    wire.poll();
    return item;
  }
  static constexpr std::size_t kSize = 1'000'000;
};

TEST_F(Http1Pauses, AReaderThatMayPauseLosesNothing) {
  Requests::Item& item = answer(true);
  wire.advance(hours(20));
  EXPECT_FALSE(item.failed);
  EXPECT_GT(wire.receive().size(), kSize);
}

TEST_F(Http1Pauses, AnUnknownReaderMayNotPause) {
  Requests::Item& item = answer(false);
  wire.advance(seconds(61));
  EXPECT_TRUE(item.failed);
}

TEST_F(Http1Pauses, APeerWhoseSystemIsSilentIsDead) {
  wire.peer_state = io::PeerState{.silence = minutes(4)};
  Requests::Item& item = answer(true);
  wire.advance(seconds(61));
  EXPECT_FALSE(item.failed);
  wire.peer_state = io::PeerState{.silence = minutes(6)};
  wire.advance(seconds(61));
  EXPECT_TRUE(item.failed);
}

TEST_F(Http1Pauses, TheNextExchangeHasToAskAgain) {
  serve();
  requests.on = [](auto& item) { Served::hello(item); };
  wire.send(kGet);
  requests.items[0]->server->allow_pauses();
  wire.receive();
  requests.on = [](auto&) {};
  wire.send(kGet);
  requests.items.at(1)->server->respond({});
  requests.items[1]->server->write(bytes_of(std::string(kSize, 'x')));
  wire.poll();
  wire.advance(seconds(61));
  EXPECT_TRUE(requests.items[1]->failed);
}

struct Http1Upgraded : testing::Test, Served {
  Requests::Item& upgrade() {
    serve();
    wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    Requests::Item& item = *requests.items.at(0);
    item.server->allow_pauses();
    item.server->respond({.status = 101, .upgrade = "x"});
    wire.receive();
    return item;
  }
};

TEST_F(Http1Upgraded, AClientThatHasEndedItsDirectionAndGetsNothingIsGone) {
  Requests::Item& item = upgrade();
  wire.raw->shutdown_write();
  wire.poll();
  EXPECT_TRUE(item.ended);
  wire.advance(seconds(40));
  item.server->write(bytes_of("still of use"));
  wire.receive();
  wire.advance(seconds(40));
  EXPECT_FALSE(item.failed);
  for (int i = 0; i < 5; ++i) wire.advance(seconds(15));
  ASSERT_TRUE(item.failed);
  EXPECT_EQ(item.failed->code(), Code::kCancelled);
}

TEST_F(Http1Upgraded, AClientThatDiesWhileItIsNotReadIsNoticed) {
  wire.peer_state = io::PeerState{};
  Requests::Item& item = upgrade();
  item.auto_consume = false;
  wire.send(std::string(1'000'000, 'x'));
  for (int i = 0; i < 100; ++i) wire.advance(seconds(15));
  EXPECT_FALSE(item.failed);
  wire.peer_state->ended = true;
  for (int i = 0; i < 5; ++i) wire.advance(seconds(15));
  EXPECT_TRUE(item.failed);
}

TEST_F(Http1Upgraded, AResetWhileItIsNotReadIsNoticed) {
  wire.peer_state = io::PeerState{};
  Requests::Item& item = upgrade();
  item.auto_consume = false;
  wire.send(std::string(1'000'000, 'x'));
  wire.peer_state->lost = true;
  wire.advance(seconds(16));
  EXPECT_TRUE(item.failed);
}

// A process that is stopped answers no PING; its system goes on acknowledging.
struct Http2Pauses : testing::Test {
  // A client that sends its request and is stopped then.
  Requests::Item& start() {
    server = serve_http2(wire.loop, std::move(wire.under_test), requests, {}, [this] { gone = true; });
    wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    wire.send(std::string_view("\0\0\0\4\0\0\0\0\0", 9));
    // GET, http, /, authority "a" of HPACK's tables.
    wire.send(
        std::string_view("\0\0\6\1\5\0\0\0\1\x82\x86\x84\x01\x01"
                         "a",
                         15));
    Requests::Item& item = *requests.items.at(0);
    item.server->allow_pauses();
    item.server->respond({});
    wire.poll();
    return item;
  }
  Wire wire{256 * 1024};
  Requests requests;
  std::unique_ptr<ServerConnection> server;
  bool gone = false;
};

TEST_F(Http2Pauses, AReaderThatIsStoppedIsWaitedFor) {
  start();
  for (int i = 0; i < 100; ++i) wire.advance(seconds(30));
  EXPECT_FALSE(gone);
  wire.peer_state = io::PeerState{.silence = minutes(6)};
  for (int i = 0; i < 5; ++i) wire.advance(seconds(30));
  EXPECT_TRUE(gone);
}

TEST_F(Http2Pauses, APeerThatServesUsIsNot) {
  start().server->set_stream_limit(10);
  for (int i = 0; i < 5; ++i) wire.advance(seconds(30));
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace towline::http
