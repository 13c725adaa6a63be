#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

struct Http1Upgrade : testing::Test {
  void serve(Limits limits = {}) {
    server = serve_http1(wire.loop, std::move(wire.under_test), requests, {.limits = limits},
                         [this] { gone = true; });
  }
  Wire wire;
  Requests requests;
  bool gone = false;
  std::unique_ptr<ServerConnection> server;
};

constexpr std::string_view kUpgrade =
    "POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";

void accept(Requests::Item& item) { item.server->respond({.status = 101, .upgrade = item.head.upgrade}); }

TEST_F(Http1Upgrade, CarriesRawBytesBothWays) {
  serve();
  EXPECT_EQ(wire.exchange(std::string(kUpgrade) + "early"), "");
  Requests::Item& item = *requests.items.at(0);
  EXPECT_EQ(item.head.upgrade, "SPDY/3.1");
  EXPECT_FALSE(item.has_body);
  EXPECT_FALSE(item.head.headers.has("upgrade"));
  EXPECT_FALSE(item.head.headers.has("connection"));
  accept(item);
  item.server->write(bytes_of("hello"));
  EXPECT_EQ(undated(wire.receive()), std::string(kSwitched) + "hello");
  EXPECT_EQ(wire.writes, 1);
  EXPECT_EQ(item.body, "early");
  EXPECT_EQ(item.sent, 5U);
  wire.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(item.body, "earlyGET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server->active(), 1U);
}

TEST_F(Http1Upgrade, EndsWhenBothDirectionsHave) {
  serve();
  requests.on = accept;
  wire.exchange(kUpgrade);
  Requests::Item& item = *requests.items.at(0);
  wire.raw->shutdown_write();
  wire.poll();
  EXPECT_TRUE(item.ended);
  EXPECT_FALSE(gone);
  item.server->write(bytes_of("bye"));
  item.server->end();
  EXPECT_EQ(wire.receive(), "bye");
  EXPECT_TRUE(wire.closed);
  EXPECT_TRUE(gone);
}

TEST_F(Http1Upgrade, OurEndFirst) {
  serve();
  requests.on = accept;
  wire.exchange(kUpgrade);
  Requests::Item& item = *requests.items.at(0);
  item.server->end();
  wire.receive();
  EXPECT_TRUE(wire.closed);
  EXPECT_FALSE(gone);
  wire.send("more");
  EXPECT_EQ(item.body, "more");
  wire.raw.reset();
  wire.poll();
  EXPECT_TRUE(item.ended);
  EXPECT_TRUE(gone);
}

TEST_F(Http1Upgrade, RawBytesObeyTheWindow) {
  serve({.stream_window = 100});
  requests.on = [](auto& item) {
    item.auto_consume = false;
    accept(item);
  };
  wire.send(kUpgrade);
  wire.send(std::string(10'000, 'x'));
  Requests::Item& item = *requests.items.at(0);
  EXPECT_EQ(item.body.size(), 100U);
  item.auto_consume = true;
  item.server->consume(100);
  wire.poll();
  EXPECT_EQ(item.body.size(), 10'000U);
}

TEST_F(Http1Upgrade, GivesTheStreamAway) {
  serve();
  std::unique_ptr<io::Stream> stream;
  requests.on = [&](auto& item) {
    EXPECT_EQ(item.server->take_stream(), nullptr);
    accept(item);
    stream = item.server->take_stream();
    item.server.reset();
  };
  EXPECT_EQ(undated(wire.exchange(std::string(kUpgrade) + "first")), kSwitched);
  EXPECT_TRUE(gone);
  server.reset();
  ASSERT_NE(stream, nullptr);
  std::byte buffer[20];
  EXPECT_EQ(stream->read(buffer).bytes, 5U);
  wire.send("then");
  EXPECT_EQ(stream->read(buffer).bytes, 4U);
  io::write(*stream, bytes_of("back"));
  EXPECT_EQ(wire.receive(), "back");
}

TEST_F(Http1Upgrade, AnyOtherAnswerIsOrdinaryHttp) {
  serve();
  requests.on = [](auto& item) { send(*item.server, {.status = 403, .body = "no"}); };
  EXPECT_EQ(undated(wire.exchange(kUpgrade)), "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(undated(wire.exchange(kUpgrade)), "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_FALSE(gone);
}

TEST_F(Http1Upgrade, ARequestWithABodyIsNoUpgrade) {
  serve();
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(requests.items.at(0)->head.upgrade, "");
  EXPECT_EQ(requests.items[0]->body, "x");
}

TEST_F(Http1Upgrade, AnOfferOfHttp2IsNoUpgrade) {
  serve();
  wire.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
      "A\r\n\r\n");
  EXPECT_EQ(requests.items.at(0)->head.upgrade, "");
  EXPECT_TRUE(requests.items[0]->head.headers.empty());
}

TEST_F(Http1Upgrade, IsNotAnsweredByAHandlerThatWasNotAsked) {
  serve();
  wire.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n");
  requests.items.at(0)->server->respond({.status = 101, .upgrade = "x"});
  EXPECT_EQ(wire.receive(), "");
  EXPECT_TRUE(gone);
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kInternal);
}

TEST_F(Http1Upgrade, ABrokenConnectionFails) {
  serve();
  requests.on = accept;
  wire.exchange(kUpgrade);
  requests.items.at(0)->server->write(bytes_of("unread"));
  wire.poll();
  wire.raw.reset();
  wire.poll();
  requests.items[0]->server->write(bytes_of("x"));
  wire.poll();
  EXPECT_TRUE(requests.items[0]->failed);
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace towline::http
