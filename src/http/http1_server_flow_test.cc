#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

using std::chrono::seconds;

struct Http1ServerFlow : testing::Test, Served {};

// --- flow control ---

TEST_F(Http1ServerFlow, DeliversAtMostAWindowAheadOfConsume) {
  requests.on = [](auto& item) { item.auto_consume = false; };
  serve({.stream_window = 1000});
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  Requests::Item& item = *requests.items.at(0);
  const std::string body(100'000, 'x');
  wire.send(body);
  EXPECT_EQ(item.body.size(), 1000U);
  const std::size_t before = item.body.size();
  item.server->consume(400);
  EXPECT_EQ(item.body.size(), before);  // nothing comes from inside consume
  wire.poll();
  EXPECT_EQ(item.body.size(), 1400U);
  item.auto_consume = true;
  item.server->consume(1000);
  wire.send(body.substr(0, 0));
  while (!item.ended) {
    const std::size_t had = item.body.size();
    wire.send(body.substr(0, 1000));
    if (item.body.size() == had) break;
  }
  EXPECT_EQ(item.body.size(), 100'000U);
  EXPECT_TRUE(item.ended);
}

TEST_F(Http1ServerFlow, ReportsWhatWasSentAsTheClientReads) {
  Wire small(4096);
  connection = serve_http1(small.loop, std::move(small.under_test), requests, {}, [] {});
  small.send(kGet);
  Requests::Item& item = *requests.items.at(0);
  item.server->respond({});
  const std::string piece(100'000, 'y');
  item.server->write(bytes_of(piece));
  item.server->write(bytes_of("z"));
  EXPECT_EQ(item.sent, 0U);
  small.poll();
  EXPECT_GT(item.sent, 3000U);
  EXPECT_LT(item.sent, 4096U);
  EXPECT_EQ(item.sent + item.server->unsent(), 100'001U);
  item.server->end();
  const std::string got = small.receive();
  EXPECT_EQ(item.sent, 100'001U);
  EXPECT_NE(got.find("\r\n186a0\r\nyyy"), std::string::npos);
  EXPECT_TRUE(got.ends_with("y\r\n1\r\nz\r\n0\r\n\r\n"));
  EXPECT_FALSE(small.closed);
  connection.reset();  // before its loop
}

TEST_F(Http1ServerFlow, PassesALargePieceOnAtOnce) {
  serve();
  wire.send(kGet);
  ServerExchange& exchange = *requests.items[0]->server;
  exchange.respond({});
  const std::string piece(20'000, 'y');
  exchange.write(bytes_of(piece));
  EXPECT_EQ(wire.writes, 1);
  EXPECT_EQ(exchange.unsent(), 0U);
  EXPECT_EQ(requests.items[0]->sent, 0U);
  wire.poll();
  EXPECT_EQ(requests.items[0]->sent, 20'000U);
}

TEST_F(Http1ServerFlow, DiscardsASmallBodyThatNobodyRead) {
  requests.on = [](auto& item) {
    hello(item);
    item.server.reset();
  };
  serve();
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n");
  wire.send(std::string(30'000, 'x'));
  EXPECT_EQ(undated(wire.exchange(kGet)), std::string(kHello) + std::string(kHello));
  EXPECT_EQ(requests.items.size(), 2U);
}

TEST_F(Http1ServerFlow, ClosesWhenALargeBodyWasNotRead) {
  requests.on = [](auto& item) {
    hello(item);
    item.server.reset();
  };
  serve();
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
  wire.send(std::string(300'000, 'x'));
  EXPECT_EQ(undated(wire.receive()), kHello);
  EXPECT_TRUE(wire.closed);
  EXPECT_FALSE(gone);  // lingers, so that the response is not lost
  wire.advance(seconds(3));
  EXPECT_TRUE(gone);
}

// --- 100-continue ---

constexpr std::string_view kExpect =
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";

TEST_F(Http1ServerFlow, TellsAWaitingClientToGoOn) {
  requests.on = [](auto& item) { item.after_end = [&item] { hello(item); }; };
  serve();
  EXPECT_EQ(wire.exchange(kExpect), "");
  EXPECT_FALSE(requests.items[0]->head.headers.has("expect"));
  requests.items[0]->server->consume(0);
  requests.items[0]->server->consume(0);
  EXPECT_EQ(wire.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(undated(wire.exchange("abc")), kHello);
  EXPECT_FALSE(gone);
}

TEST_F(Http1ServerFlow, RefusesABodyByAnsweringAtOnce) {
  requests.on = [](auto& item) {
    send(*item.server, {.status = 401});
    item.server.reset();
  };
  serve();
  EXPECT_EQ(undated(wire.exchange(kExpect)),
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(wire.closed);
}

TEST_F(Http1ServerFlow, SendsNo100ToAClientThatDidNotWait) {
  requests.on = [](auto& item) { item.after_end = [&item] { hello(item); }; };
  serve();
  EXPECT_EQ(undated(wire.exchange(std::string(kExpect) + "abc")), kHello);
  EXPECT_FALSE(gone);
}

// --- cancellation ---

TEST_F(Http1ServerFlow, CancelsWhenTheClientGoesAway) {
  serve();
  wire.send(kGet);
  requests.items[0]->server->respond({});
  wire.poll();
  wire.raw.reset();
  wire.poll();
  ASSERT_TRUE(requests.items[0]->failed);
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kCancelled);
  EXPECT_TRUE(gone);
}

TEST_F(Http1ServerFlow, CancelsWhenTheClientGoesAwayInItsBody) {
  serve();
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
  wire.raw.reset();
  wire.poll();
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kCancelled);
  EXPECT_TRUE(gone);
}

TEST_F(Http1ServerFlow, DestroyingAnUnfinishedExchangeCloses) {
  serve();
  wire.send(kGet);
  requests.items[0]->server->respond({.content_length = 9});
  requests.items[0]->server.reset();
  EXPECT_FALSE(gone);
  wire.poll();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(requests.items[0]->failed);
}

TEST_F(Http1ServerFlow, ResetClosesAndCallsNoMore) {
  serve();
  wire.send(kGet);
  requests.items[0]->server->reset();
  requests.items[0]->server->respond({}, true);
  wire.receive();
  EXPECT_TRUE(wire.closed);
  EXPECT_TRUE(gone);
  EXPECT_FALSE(requests.items[0]->failed);
  EXPECT_EQ(requests.items[0]->server->peer(), "memory");
}

TEST_F(Http1ServerFlow, OneRequestsPeerIsWhomAProxySpeaksForAndNotTheNextOnes) {
  serve();
  wire.send(kGet);
  requests.items[0]->server->set_peer("203.0.113.9");
  EXPECT_EQ(requests.items[0]->server->peer(), "203.0.113.9");
  requests.items[0]->server->respond({}, true);
  wire.send(kGet);
  EXPECT_EQ(requests.items[1]->server->peer(), "memory");
}

TEST_F(Http1ServerFlow, DestroyingTheConnectionFailsItsExchange) {
  serve();
  wire.send(kGet);
  connection.reset();
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kUnavailable);
  requests.items[0]->server->respond({}, true);
  wire.poll();
  EXPECT_FALSE(gone);
}

// Runs one exchange in which `act` is called at the n-th point, for each way of ending things there.
TEST_F(Http1ServerFlow, SurvivesAnEndInEachCallback) {
  const char* const points[] = {"request", "body", "end", "sent", "failed"};
  for (const std::string point : points) {
    for (const bool whole_connection : {false, true}) {
      SCOPED_TRACE(point + (whole_connection ? " connection" : " exchange"));
      Wire fresh;
      Requests handler;
      std::unique_ptr<ServerConnection> server;
      const auto act = [&] {
        if (whole_connection) {
          server.reset();
        } else {
          handler.items[0]->server.reset();
        }
      };
      handler.on = [&](auto& item) {
        if (point == "request") act();
        if (point == "body") item.after_body = act;
        if (point == "end") item.after_end = act;
        if (point == "sent") item.after_sent = act;
        if (point == "failed") item.after_failed = act;
      };
      server = serve_http1(fresh.loop, std::move(fresh.under_test), handler, {}, [&] { server.reset(); });
      fresh.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
      fresh.send("3\r\nabc\r\n0\r\n\r\n");
      ASSERT_EQ(handler.items.size(), 1U);
      if (auto& exchange = handler.items[0]->server) {
        exchange->respond({});
        exchange->write(bytes_of("abc"));
      }
      fresh.poll();
      fresh.raw.reset();
      fresh.poll();
      EXPECT_EQ(server, nullptr);
    }
  }
}

TEST_F(Http1ServerFlow, SurvivesDestructionInItsClosedCallbackAndWithout) {
  for (const bool destroy : {true, false}) {
    Wire fresh;
    destroy_when_gone = destroy;
    connection = serve_http1(fresh.loop, std::move(fresh.under_test), requests, {}, [&] {
      if (destroy) connection.reset();
    });
    fresh.send("GET / HTT");
    fresh.raw.reset();
    fresh.poll();
    EXPECT_EQ(connection == nullptr, destroy);
    if (connection) connection->drain();
    fresh.poll();
    connection.reset();
  }
}

TEST_F(Http1ServerFlow, ItsLivenessExpiresBeforeTheExchangeIsTold) {
  serve();
  wire.send(kGet);
  Requests::Item& item = *requests.items[0];
  const std::weak_ptr<const void> liveness = item.server->liveness();
  EXPECT_FALSE(liveness.expired());
  bool expired = false;
  item.after_failed = [&] { expired = liveness.expired(); };
  wire.raw.reset();
  wire.poll();
  EXPECT_TRUE(expired);
  EXPECT_TRUE(item.server->liveness().expired());
}

}  // namespace
}  // namespace towline::http
