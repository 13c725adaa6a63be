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

}  // namespace
}  // namespace towline::http
