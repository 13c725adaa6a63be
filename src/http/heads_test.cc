// Heads at their limits, over both protocols and in both directions: what cannot pass is told at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/fields.h"
#include "http/http1_test_support.h"

namespace towline::http {
namespace {

using ::testing::HasSubstr;

struct Heads : testing::TestWithParam<bool> {
  bool http2() const { return GetParam(); }
  void start(ServerConnectionOptions options = {}) {
    auto [a, b] = io::stream_pair(loop, 256 * 1024);
    if (http2()) {
      server = serve_http2(loop, std::move(a), requests, std::move(options), [] {});
      client = connect_http2(loop, std::move(b), {}, [](Status) {});
    } else {
      server = serve_http1(loop, std::move(a), requests, std::move(options), [] {});
      client = connect_http1(loop, std::move(b), {}, [](Status) {});
    }
    settle();
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  std::unique_ptr<Recorder> ask(const Headers& headers = {}, std::string target = "/") {
    auto recorder = std::make_unique<Recorder>();
    recorder->client =
        client->open({.method = "GET", .target = std::move(target), .authority = "a", .headers = headers},
                     true, recorder.get());
    EXPECT_NE(recorder->client, nullptr);
    settle();
    return recorder;
  }
  // About `bytes` in fields that HTTP/2's decoder takes one by one.
  static Headers fields(std::size_t bytes) {
    Headers headers;
    for (int i = 0; headers.bytes() < bytes; ++i) {
      headers.add("x-" + std::to_string(i),
                  std::string(std::min<std::size_t>(bytes - headers.bytes(), 30'000), 'v'));
    }
    return headers;
  }

  FakeClock clock;
  io::Loop loop{clock};
  Requests requests;
  std::unique_ptr<ServerConnection> server;
  std::unique_ptr<ClientConnection> client;
};

INSTANTIATE_TEST_SUITE_P(Protocols, Heads, testing::Bool(),
                         [](const auto& param) { return param.param ? "Http2" : "Http1"; });

TEST_P(Heads, NearlyAMebibytePassesBothWays) {
  requests.on = [](auto& item) { item.server->respond({.headers = fields(1'000'000)}, true); };
  start();
  const auto asked = ask(fields(1'000'000));
  ASSERT_EQ(requests.items.size(), 1U);
  EXPECT_GE(requests.items[0]->head.headers.bytes(), 1'000'000U);
  ASSERT_TRUE(asked->response);
  EXPECT_EQ(asked->response->status, 200);
  EXPECT_GE(asked->response->headers.bytes(), 1'000'000U);
}

// 65,450 to 65,536 bytes of response head once were never sent over HTTP/2, and nobody was told.
TEST_P(Heads, EachSizeAround64KiBPasses) {
  requests.on = [](auto& item) {
    item.server->respond({.headers = fields(static_cast<std::size_t>(std::stoi(item.head.target.substr(1))))},
                         true);
  };
  start();
  for (std::size_t size = 65'300; size < 65'700; size += 20) {
    const auto asked = ask({}, "/" + std::to_string(size));
    ASSERT_TRUE(asked->response) << size;
    EXPECT_EQ(asked->response->status, 200) << size;
  }
}

TEST_P(Heads, ALargerRequestFailsAtOnce) {
  start();
  const auto asked = ask(fields(1'200'000));
  ASSERT_TRUE(asked->failed);
  EXPECT_EQ(asked->failed->code(), Code::kResourceExhausted);
  EXPECT_THAT(asked->failed->message(), HasSubstr("the head is too large"));
  EXPECT_TRUE(requests.items.empty());
  if (!http2()) return;
  const auto next = ask();
  EXPECT_EQ(requests.items.size(), 1U);
}

TEST_P(Heads, ALargerResponseIs502InItsPlace) {
  requests.on = [](auto& item) {
    item.server->respond({.headers = fields(1'200'000)});
    item.server->write(bytes_of("the body of the response that was not sent"));
    item.server->end();
  };
  start();
  const auto asked = ask();
  ASSERT_TRUE(asked->response);
  EXPECT_EQ(asked->response->status, 502);
  EXPECT_TRUE(asked->finished());
  EXPECT_THAT(asked->body, HasSubstr("the head is too large"));
  EXPECT_THAT(asked->body, HasSubstr("\"kind\":\"Status\""));
  EXPECT_TRUE(asked->body.ends_with("}"));
}

TEST_P(Heads, WhatIsNoStatusOrNoFieldIs502) {
  const std::vector<ResponseHead> bad = {
      {.status = 99},
      {.status = 100},
      {.status = 199},
      {.status = 600},
      {.status = 1000},
      {.status = -1},
      {.status = 2'147'483'647},
      {.headers = {{"x", "a\r\nb: c"}}},
      {.headers = {{"x", std::string_view("a\0b", 3)}}},
      {.headers = {{"", "x"}}},
      {.headers = {{":status", "204"}}},
      {.headers = {{":path", "/"}}},
      {.headers = {{"a b", "x"}}},
      {.headers = {{"a\n", "x"}}},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    requests.on = [&](auto& item) { item.server->respond(bad[i], true); };
    start();
    const auto asked = ask();
    ASSERT_TRUE(asked->response);
    EXPECT_EQ(asked->response->status, 502);
    EXPECT_TRUE(asked->finished());
  }
}

TEST_P(Heads, ARequestThatCannotBeSentFails) {
  const std::vector<RequestHead> bad = {
      {.method = "GE T", .target = "/", .authority = "a"},
      {.method = "", .target = "/", .authority = "a"},
      {.method = "GET", .target = "/", .authority = "a\r\nb"},
      {.method = "GET", .target = "/", .authority = "a", .headers = {{"impersonate-user", "x\ny"}}},
      {.method = "GET", .target = "/", .authority = "a", .headers = {{":path", "/other"}}},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    start();
    Recorder asked;
    asked.client = client->open(bad[i], true, &asked);
    ASSERT_NE(asked.client, nullptr);
    settle();
    ASSERT_TRUE(asked.failed);
    EXPECT_EQ(asked.failed->code(), Code::kInvalidArgument);
    EXPECT_TRUE(requests.items.empty());
  }
}

TEST_P(Heads, BlanksAroundValuesAreNoPartOfThem) {
  requests.on = [](auto& item) { item.server->respond({}, true); };
  start();
  const auto asked = ask({{"authorization", " Bearer x \t"}, {"x", " "}});
  ASSERT_EQ(requests.items.size(), 1U);
  EXPECT_EQ(requests.items[0]->head.headers.get("authorization"), "Bearer x");
  EXPECT_EQ(requests.items[0]->head.headers.get("x"), "");
}

TEST_P(Heads, OtherBytesThanAsciiPass) {
  requests.on = [](auto& item) { item.server->respond({}, true); };
  start();
  const auto asked = ask({{"x", "caf\xe9"}}, "/tmp/caf\xe9");
  ASSERT_EQ(requests.items.size(), 1U);
  EXPECT_EQ(requests.items[0]->head.headers.get("x"), "caf\xe9");
  EXPECT_EQ(requests.items[0]->head.target, "/tmp/caf\xe9");
}

TEST_P(Heads, ATargetsBlanksTravelEncoded) {
  requests.on = [](auto& item) { item.server->respond({}, true); };
  start();
  const auto asked = ask({}, "/a b\r\n");
  ASSERT_EQ(requests.items.size(), 1U);
  EXPECT_EQ(requests.items[0]->head.target, "/a%20b%0D%0A");
}

TEST_P(Heads, TooManyLargeOnesAtOnceAreRefusedInTheirTurn) {
  ServerConnectionOptions options;
  options.loads.host = std::make_shared<Load>();
  options.loads.address = std::make_shared<Load>();
  const auto address = options.loads.address;
  start(options);
  address->large_heads = options.limits.large_heads_of_address;
  auto asked = ask(fields(300'000));
  ASSERT_TRUE(asked->response);
  EXPECT_EQ(asked->response->status, 503);
  EXPECT_TRUE(asked->response->headers.has("retry-after"));
  if (!http2()) start(options);
  address->large_heads = 0;
  asked = ask(fields(300'000));
  EXPECT_EQ(requests.items.size(), 1U);
  EXPECT_EQ(address->large_heads.load(), 0U);
}

TEST(Fields, OneJudgementForBothProtocols) {
  EXPECT_TRUE(is_field("x-a", "b\tc \xff"));
  EXPECT_FALSE(is_field(":status", "200"));
  EXPECT_FALSE(is_field("", "x"));
  EXPECT_FALSE(is_field("a\xe9", "x"));
  for (const char c : {'\r', '\n', '\0', '\x1b', '\x7f'}) EXPECT_FALSE(is_field("a", std::string(1, c)));
}

TEST(Heads1, ALongLineThatTricklesIsSearchedOnce) {
  // A megabyte in small pieces: searching all of it for each piece would take minutes.
  Wire wire;
  Requests requests;
  auto server = serve_http1(wire.loop, std::move(wire.under_test), requests, {}, [] {});
  wire.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  for (int i = 0; i < 20'000; ++i) wire.send(std::string(50, 'x'));
  wire.send("\r\n\r\n");
  ASSERT_EQ(requests.items.size(), 1U);
  EXPECT_EQ(requests.items[0]->head.headers.get("x")->size(), 1'000'000U);
}

TEST(Heads1, InformationalResponsesHaveANumber) {
  Wire wire;
  auto client = connect_http1(wire.loop, std::move(wire.under_test), {}, [](Status) {});
  Recorder asked;
  asked.client = client->open({.method = "GET", .target = "/", .authority = "a"}, true, &asked);
  wire.poll();
  for (int i = 0; i < 40; ++i) wire.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  ASSERT_TRUE(asked.failed);
  EXPECT_EQ(asked.failed->code(), Code::kInternal);
}

}  // namespace
}  // namespace towline::http
