#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

using std::chrono::seconds;

struct Http1Serving : testing::Test, Served {};

TEST_F(Http1Serving, AnswersARequestInOneWrite) {
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

TEST_F(Http1Serving, AnswersLaterFromTheLoopInOneWrite) {
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

TEST_F(Http1Serving, DatesItsResponses) {
  requests.on = hello;
  wire.clock.advance(std::chrono::seconds(784111777));
  serve();
  EXPECT_NE(wire.exchange(kGet).find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), std::string::npos);
}

TEST_F(Http1Serving, TakesBytesOneByOne) {
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

TEST_F(Http1Serving, AnswersPipelinedRequestsInOrder) {
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

TEST_F(Http1Serving, PausesReadingAClientThatPipelinesTooMuch) {
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

TEST_F(Http1Serving, KeepsTheLengthAndSwallowsTheBodyWhereHttpForbidsOne) {
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

TEST_F(Http1Serving, ClosesWhenTheClientAsksForIt) {
  requests.on = hello;
  serve();
  const std::string got = undated(wire.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  EXPECT_EQ(got, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nA: b\r\n\r\nhello");
  EXPECT_TRUE(wire.closed);
  EXPECT_TRUE(gone);
}

TEST_F(Http1Serving, ClosesAfterAnHttp10ResponseAndSendsNoChunks) {
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

TEST_F(Http1Serving, SendsNoMoreThanItAnnounced) {
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

TEST_F(Http1Serving, BreaksOffWhenABodyIsShorterThanAnnounced) {
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

// --- drain ---

TEST_F(Http1Serving, DrainsAnIdleConnectionAtOnce) {
  serve();
  connection->drain();
  EXPECT_FALSE(gone);
  wire.poll();
  EXPECT_TRUE(gone);
}

TEST_F(Http1Serving, DrainLetsARunningRequestFinish) {
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
