#include "http/simple.h"

#include <gtest/gtest.h>

#include "http/simple_test_support.h"

namespace towline::http {
namespace {

// Collects with a limit of ten bytes and answers with what it got.
struct Echo : RequestHandler {
  void on_request(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange) override {
    collect_body(std::move(head), has_body, std::move(exchange), 10, [this](Request request, auto whole) {
      ++collected;
      send(*whole, {.headers = {{"x-target", request.head.target}}, .body = request.body});
    });
  }
  int collected = 0;
};

TEST_F(Simple, CollectsAndFetches) {
  Echo echo;
  serve(echo);
  for (const char* body : {"", "hello", "0123456789"}) {
    go(request(body));
    EXPECT_FALSE(result);
    poll();
    ASSERT_TRUE(result && result->has_value());
    EXPECT_EQ((*result)->status, 200);
    EXPECT_EQ((*result)->headers.get("x-target"), "/");
    EXPECT_EQ((*result)->body, body);
  }
  EXPECT_EQ(echo.collected, 3);
}

TEST_F(Simple, RefusesALargeBodyOfKnownLength) {
  Echo echo;
  serve(echo);
  go(request(std::string(11, 'x')));
  poll();
  EXPECT_EQ((*result)->status, 413);
  EXPECT_EQ((*result)->body, "{\"message\":\"the request's body is larger than 10 bytes\"}\n");
  EXPECT_EQ(echo.collected, 0);
}

TEST_F(Simple, RefusesALargeBodyOfUnknownLength) {
  Echo echo;
  Wire wire;
  auto raw = serve_http1(wire.loop, std::move(wire.under_test), echo, {}, [] {});
  wire.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5\r\nabcde\r\n6\r\nabcdef\r\n0\r\n\r\n");
  EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(echo.collected, 0);
}

TEST_F(Simple, CollectingTellsAWaitingClientToGoOn) {
  Echo echo;
  Wire wire;
  auto raw = serve_http1(wire.loop, std::move(wire.under_test), echo, {}, [] {});
  EXPECT_EQ(wire.exchange("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(wire.exchange("x").ends_with("\r\n\r\nx"));
}

TEST_F(Simple, DropsWhatItCollectedWhenTheClientGoes) {
  Echo echo;
  Wire wire;
  auto raw = serve_http1(wire.loop, std::move(wire.under_test), echo, {}, [] {});
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
  wire.raw.reset();
  wire.poll();
  EXPECT_EQ(echo.collected, 0);
}

TEST_F(Simple, FetchLimitsTheResponse) {
  Echo echo;
  serve(echo);
  go(request("12345"), 4);
  poll();
  EXPECT_EQ(result->error().code(), Code::kResourceExhausted);
}

TEST_F(Simple, FetchTellsThatTheConnectionIsBusyOrGone) {
  Echo echo;
  serve(echo);
  go(request("1"));
  auto first = std::move(operation);
  go(request("2"));
  EXPECT_FALSE(result);
  poll();
  ASSERT_TRUE(result);
  server.reset();
  poll();
  go(request("3"));
  poll();
  EXPECT_EQ(result->error().code(), Code::kUnavailable);
}

TEST_F(Simple, FetchCanBeCancelled) {
  Echo echo;
  serve(echo);
  go(request("1"));
  operation.reset();
  poll();
  EXPECT_FALSE(result);
  go(request("1"));  // the connection is gone with it
  operation.reset();
  poll();
  EXPECT_FALSE(result);
}

TEST_F(Simple, FetchFailsWithItsConnection) {
  Requests silent;
  serve(silent);
  go(request("1"));
  poll();
  server.reset();
  poll();
  EXPECT_EQ(result->error().code(), Code::kAborted);
}

// Many exchanges of one client with one server over a narrow pipe, with bodies of many sizes both ways.
TEST_F(Simple, ClientAndServerUnderstandEachOther) {
  Requests handler;
  handler.on = [](auto& item) {
    item.server->respond({});
    item.after_body = [&item] {
      item.server->write(bytes_of(item.body));
      item.body.clear();
    };
    item.after_end = [&item] { item.server->end({{"x-end", "1"}}); };
    if (!item.has_body) item.server->end();
  };
  auto [a, b] = io::stream_pair(loop, 777);
  server = serve_http1(loop, std::move(a), handler, {}, [] {});
  client = connect_http1(loop, std::move(b), {}, [](Status) {});
  for (const std::size_t size : {0UZ, 1UZ, 2UZ, 100UZ, 5000UZ, 20'000UZ, 70'000UZ, 300'000UZ}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
    Recorder recorder;
    recorder.client = client->open({.method = "POST", .target = "/", .authority = "a"}, false, &recorder);
    ASSERT_NE(recorder.client, nullptr);
    recorder.client->write(bytes_of(body));
    recorder.client->end();
    poll();
    ASSERT_TRUE(recorder.finished());
    EXPECT_EQ(recorder.body, body);
    EXPECT_EQ(recorder.sent, size);
    EXPECT_EQ(recorder.trailers.get("x-end"), "1");
    EXPECT_EQ(client->available(), 1U);
  }
}

}  // namespace
}  // namespace towline::http
