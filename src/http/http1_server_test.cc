#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

using std::chrono::seconds;

struct Http1Server : testing::Test {
  void serve(Limits limits = {}) {
    connection = serve_http1(wire.loop, std::move(wire.under_test), requests, {.limits = limits}, [this] {
      gone = true;
      if (destroy_when_gone) connection.reset();
    });
    wire.poll();
  }
  static void hello(Requests::Item& item) { send(*item.server, {.headers = {{"a", "b"}}, .body = "hello"}); }

  Wire wire;
  Requests requests;
  std::unique_ptr<ServerConnection> connection;
  bool gone = false;
  bool destroy_when_gone = true;
};

constexpr std::string_view kGet = "GET /x?y=1 HTTP/1.1\r\nHost: example.com\r\nAccept: a\r\n\r\n";
constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello";

TEST_F(Http1Server, AnswersARequestInOneWrite) {
  requests.on = hello;
  serve();
  EXPECT_EQ(undated(wire.exchange(kGet)), kHello);
  EXPECT_EQ(wire.writes, 1);
  ASSERT_EQ(requests.items.size(), 1U);
  const RequestHead& head = requests.items[0]->head;
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/x?y=1");
  EXPECT_EQ(head.authority, "example.com");
  EXPECT_EQ(head.scheme, "http");
  EXPECT_EQ(head.headers.size(), 1U);
  EXPECT_EQ(head.headers.get("accept"), "a");
  EXPECT_EQ(head.content_length, 0U);
  EXPECT_FALSE(requests.items[0]->has_body);
  EXPECT_FALSE(gone);
  EXPECT_EQ(connection->active(), 0U);
}

TEST_F(Http1Server, AnswersLaterFromTheLoopInOneWrite) {
  serve();
  wire.send(kGet);
  EXPECT_EQ(connection->active(), 1U);
  ServerExchange& exchange = *requests.items[0]->server;
  exchange.respond({});
  exchange.write(bytes_of("ab"));
  exchange.write(bytes_of("c"));
  exchange.end({{"x-sum", "1"}});
  EXPECT_EQ(exchange.unsent(), 3U);
  EXPECT_EQ(wire.writes, 0);
  EXPECT_EQ(undated(wire.receive()),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_EQ(wire.writes, 1);
  EXPECT_EQ(requests.items[0]->sent, 3U);
}

TEST_F(Http1Server, DatesItsResponses) {
  requests.on = hello;
  wire.clock.advance(std::chrono::seconds(784111777));
  serve();
  EXPECT_NE(wire.exchange(kGet).find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), std::string::npos);
}

TEST_F(Http1Server, TakesBytesOneByOne) {
  requests.on = [](auto& item) {
    if (!item.has_body) hello(item);
    item.after_end = [&item] { hello(item); };
  };
  serve();
  wire.send_by_bytes(kGet);
  EXPECT_EQ(undated(wire.receive()), kHello);
  wire.send_by_bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(undated(wire.receive()), kHello);
  wire.send_by_bytes(
      "\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nX: y\r\nZ:\r\n\r\n");
  EXPECT_EQ(undated(wire.receive()), kHello);
  wire.send_by_bytes("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(undated(wire.receive()), kHello);
  ASSERT_EQ(requests.items.size(), 4U);
  EXPECT_EQ(requests.items[1]->body, "abc");
  EXPECT_EQ(requests.items[1]->head.content_length, 3U);
  EXPECT_EQ(requests.items[2]->body, "abcd");
  EXPECT_EQ(requests.items[2]->head.content_length, std::nullopt);
  EXPECT_EQ(requests.items[2]->trailers.get("x"), "y");
  EXPECT_EQ(requests.items[2]->trailers.get("z"), "");
  EXPECT_TRUE(requests.items[3]->ended);
}

TEST_F(Http1Server, AnswersPipelinedRequestsInOrder) {
  serve();
  std::string all;
  for (int i = 0; i < 3; ++i)
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
  wire.send(all);
  ASSERT_EQ(requests.items.size(), 1U);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(requests.items.size(), static_cast<std::size_t>(i + 1));
    Requests::Item& item = *requests.items.back();
    EXPECT_EQ(item.head.target, "/" + std::to_string(i));
    EXPECT_EQ(item.body, "x");
    send(*item.server, {.body = std::to_string(i)});
    EXPECT_EQ(undated(wire.receive()), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(i));
  }
}

TEST_F(Http1Server, PausesReadingAClientThatPipelinesTooMuch) {
  serve();
  wire.send(kGet);
  std::string flood;
  while (flood.size() < 1024 * 1024) flood += kGet;
  wire.send(flood);
  EXPECT_EQ(requests.items.size(), 1U);
  requests.on = hello;
  hello(*requests.items[0]);
  std::string got = wire.receive();
  EXPECT_GT(requests.items.size(), 1000U);
  // The writer gave up when the pipe was full; whole requests that arrived are answered.
  EXPECT_LT(requests.items.size(), 8000U);
  EXPECT_EQ(undated(got).size() % kHello.size(), 0U);
}

TEST_F(Http1Server, KeepsTheLengthAndSwallowsTheBodyWhereHttpForbidsOne) {
  requests.on = [](auto& item) {
    item.server->respond({.status = item.head.target == "/" ? 200 : std::stoi(item.head.target.substr(1)),
                          .content_length = 7});
    item.server->write(bytes_of("content"));
    item.server->end();
  };
  serve();
  EXPECT_EQ(undated(wire.exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")),
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(requests.items[0]->sent, 7U);
  EXPECT_EQ(undated(wire.exchange("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(undated(wire.exchange("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")),
            "HTTP/1.1 204 No Content\r\n\r\n");
  requests.on = [](auto& item) { item.server->respond({}, true); };
  EXPECT_EQ(undated(wire.exchange(kGet)), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Http1Server, ClosesWhenTheClientAsksForIt) {
  requests.on = hello;
  serve();
  const std::string got = undated(wire.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  EXPECT_EQ(got, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nA: b\r\n\r\nhello");
  EXPECT_TRUE(wire.closed);
  EXPECT_TRUE(gone);
}

TEST_F(Http1Server, ClosesAfterAnHttp10ResponseAndSendsNoChunks) {
  requests.on = [](auto& item) {
    item.server->respond({});
    item.server->write(bytes_of("abc"));
    item.server->end();
  };
  serve();
  EXPECT_EQ(undated(wire.exchange("GET / HTTP/1.0\r\n\r\n")),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  EXPECT_TRUE(wire.closed);
}

TEST_F(Http1Server, LetsNoValueEndALine) {
  requests.on = [](auto& item) {
    item.server->respond({.headers = {{"a", "b\r\nc: d"}, {"bad name", "x"}, {"content-length", "9"}}}, true);
  };
  serve();
  EXPECT_EQ(undated(wire.exchange(kGet)), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b  c: d\r\n\r\n");
}

TEST_F(Http1Server, SendsNoMoreThanItAnnounced) {
  requests.on = [](auto& item) {
    item.server->respond({.content_length = 2});
    item.server->write(bytes_of("abcd"));
    item.server->end();
  };
  serve();
  EXPECT_EQ(undated(wire.exchange(kGet)), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_EQ(requests.items[0]->sent, 4U);
  EXPECT_FALSE(wire.closed);
}

TEST_F(Http1Server, BreaksOffWhenABodyIsShorterThanAnnounced) {
  requests.on = [](auto& item) {
    item.server->respond({.content_length = 5});
    item.server->write(bytes_of("ab"));
    item.server->end();
  };
  serve();
  wire.exchange(kGet);
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kInternal);
}

// --- flow control ---

TEST_F(Http1Server, DeliversAtMostAWindowAheadOfConsume) {
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

TEST_F(Http1Server, ReportsWhatWasSentAsTheClientReads) {
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

TEST_F(Http1Server, PassesALargePieceOnAtOnce) {
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

TEST_F(Http1Server, DiscardsASmallBodyThatNobodyRead) {
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

TEST_F(Http1Server, ClosesWhenALargeBodyWasNotRead) {
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

TEST_F(Http1Server, TellsAWaitingClientToGoOn) {
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

TEST_F(Http1Server, RefusesABodyByAnsweringAtOnce) {
  requests.on = [](auto& item) {
    send(*item.server, {.status = 401});
    item.server.reset();
  };
  serve();
  EXPECT_EQ(undated(wire.exchange(kExpect)),
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(wire.closed);
}

TEST_F(Http1Server, SendsNo100ToAClientThatDidNotWait) {
  requests.on = [](auto& item) { item.after_end = [&item] { hello(item); }; };
  serve();
  EXPECT_EQ(undated(wire.exchange(std::string(kExpect) + "abc")), kHello);
  EXPECT_FALSE(gone);
}

// --- cancellation ---

TEST_F(Http1Server, CancelsWhenTheClientGoesAway) {
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

TEST_F(Http1Server, CancelsWhenTheClientGoesAwayInItsBody) {
  serve();
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
  wire.raw.reset();
  wire.poll();
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kCancelled);
  EXPECT_TRUE(gone);
}

TEST_F(Http1Server, DestroyingAnUnfinishedExchangeCloses) {
  serve();
  wire.send(kGet);
  requests.items[0]->server->respond({.content_length = 9});
  requests.items[0]->server.reset();
  EXPECT_FALSE(gone);
  wire.poll();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(requests.items[0]->failed);
}

TEST_F(Http1Server, ResetClosesAndCallsNoMore) {
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

TEST_F(Http1Server, DestroyingTheConnectionFailsItsExchange) {
  serve();
  wire.send(kGet);
  connection.reset();
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kUnavailable);
  requests.items[0]->server->respond({}, true);
  wire.poll();
  EXPECT_FALSE(gone);
}

// Runs one exchange in which `act` is called at the n-th point, for each way of ending things there.
TEST_F(Http1Server, SurvivesAnEndInEachCallback) {
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

TEST_F(Http1Server, SurvivesDestructionInItsClosedCallbackAndWithout) {
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

TEST_F(Http1Server, ItsLivenessExpiresBeforeTheExchangeIsTold) {
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

// --- drain ---

TEST_F(Http1Server, DrainsAnIdleConnectionAtOnce) {
  serve();
  connection->drain();
  EXPECT_FALSE(gone);
  wire.poll();
  EXPECT_TRUE(gone);
}

TEST_F(Http1Server, DrainLetsARunningRequestFinish) {
  serve();
  wire.send(kGet);
  connection->drain();
  wire.poll();
  EXPECT_FALSE(gone);
  hello(*requests.items[0]);
  EXPECT_EQ(undated(wire.receive()),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nA: b\r\n\r\nhello");
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace towline::http
