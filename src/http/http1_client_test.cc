#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

struct Http1Client : testing::Test {
  void connect(Limits limits = {}) {
    connection =
        connect_http1(wire.loop, std::move(wire.under_test), {.limits = limits}, [this](Status status) {
          closed = std::move(status);
          if (connection->active() == 0) connection.reset();
        });
  }
  void open(RequestHead head, bool end = true) {
    into = std::make_unique<Recorder>();
    into->client = connection->open(head, end, into.get());
  }
  void get() { open({.method = "GET", .target = "/", .authority = "a"}); }

  Wire wire;
  std::unique_ptr<Recorder> into;
  std::optional<Status> closed;
  std::unique_ptr<ClientConnection> connection;
};

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";

TEST_F(Http1Client, SendsARequestInOneWriteAndReadsItsResponse) {
  connect();
  open({.method = "PUT",
        .target = "/x?y",
        .authority = "example.com:8080",
        .headers = {{"accept", "*/*"}, {"connection", "close"}, {"host", "b"}},
        .content_length = 5},
       false);
  EXPECT_EQ(connection->available(), 0U);
  EXPECT_EQ(connection->active(), 1U);
  into->client->write(bytes_of("he"));
  into->client->write(bytes_of("llo"));
  into->client->end();
  EXPECT_EQ(wire.receive(),
            "PUT /x?y HTTP/1.1\r\nHost: example.com:8080\r\nContent-Length: 5\r\nAccept: */*\r\n\r\nhello");
  EXPECT_EQ(wire.writes, 1);
  EXPECT_EQ(into->sent, 5U);
  wire.send(kOk);
  EXPECT_EQ(into->response->status, 200);
  EXPECT_EQ(into->response->content_length, 2U);
  EXPECT_EQ(into->response->headers.size(), 1U);
  EXPECT_EQ(into->response->headers.get("x-a"), "b");
  EXPECT_FALSE(into->response_ended);
  EXPECT_EQ(into->body, "ok");
  EXPECT_TRUE(into->ended);
  EXPECT_EQ(connection->available(), 1U);
  EXPECT_EQ(connection->active(), 0U);
}

TEST_F(Http1Client, SendsChunksAndTrailersWhereTheLengthIsNotKnown) {
  connect();
  open({.method = "POST", .target = "/", .authority = "a"}, false);
  into->client->write(bytes_of("abc"));
  into->client->end({{"x-sum", "1"}});
  EXPECT_EQ(
      wire.receive(),
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
}

TEST_F(Http1Client, SendsALengthForAnEmptyPost) {
  connect();
  open({.method = "POST", .target = "/", .authority = "a"});
  EXPECT_EQ(wire.receive(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Http1Client, LetsNoTargetEndALine) {
  connect();
  open({.method = "GET", .target = "/a b\r\n", .authority = "a"});
  EXPECT_EQ(wire.receive(), "GET /a%20b%0D%0A HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.reset();
  into.reset();
}

TEST_F(Http1Client, UsesTheConnectionAgainFromInsideTheLastCallback) {
  connect();
  get();
  wire.receive();
  auto first = std::move(into);
  first->after_end = [&] { get(); };
  wire.send(kOk);
  EXPECT_EQ(wire.receive(), kRequest);
  into->after_response = [&] { EXPECT_EQ(connection->available(), 1U); };
  wire.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(into->response_ended);
  EXPECT_EQ(connection->available(), 1U);
  EXPECT_FALSE(closed);
}

TEST_F(Http1Client, TakesOneRequestAtATime) {
  connect();
  get();
  EXPECT_EQ(connection->open({.method = "GET", .target = "/"}, true, into.get()), nullptr);
}

struct Read {
  const char* name;
  const char* method;
  std::string bytes;
  bool eof;
  std::string body;
  bool kept;
};

const Read kReads[] = {
    {"length", "GET", std::string(kOk), false, "ok", true},
    {"no body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "", true},
    {"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, "", true},
    {"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, "", true},
    {"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false, "", true},
    {"HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, "", true},
    {"no reason", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, "", true},
    {"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
     false, "abc", true},
    {"informational", "GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\n" + std::string(kOk), false, "ok", true},
    {"until close", "GET", "HTTP/1.1 200 OK\r\n\r\nabc", true, "abc", false},
    {"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", false, "a", false},
    {"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", false, "a", false},
    {"HTTP/1.0 kept", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", false,
     "a", true},
    {"more than the response", "GET", std::string(kOk) + "x", false, "ok", false},
    {"two responses", "GET", std::string(kOk) + std::string(kOk), false, "ok", false},
};

TEST_F(Http1Client, ReadsEachKindOfResponseHoweverItIsCut) {
  for (const Read& read : kReads) {
    for (const bool cut : {false, true}) {
      SCOPED_TRACE(std::string(read.name) + (cut ? ", byte by byte" : ""));
      Wire fresh;
      std::optional<Status> over;
      auto client = connect_http1(fresh.loop, std::move(fresh.under_test), {}, [&](Status s) { over = s; });
      Recorder recorder;
      recorder.client =
          client->open({.method = read.method, .target = "/", .authority = "a"}, true, &recorder);
      fresh.receive();
      if (cut) {
        fresh.send_by_bytes(read.bytes);
      } else {
        fresh.send(read.bytes);
      }
      if (read.eof) fresh.raw->shutdown_write();
      fresh.poll();
      EXPECT_TRUE(recorder.finished());
      EXPECT_EQ(recorder.body, read.body);
      EXPECT_FALSE(recorder.failed);
      EXPECT_EQ(client->available(), read.kept ? 1U : 0U);
      EXPECT_EQ(over.has_value(), !read.kept);
    }
  }
}

TEST_F(Http1Client, DeliversTrailers) {
  connect();
  get();
  wire.receive();
  wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGrpc-Status: 0\r\n\r\n");
  EXPECT_EQ(into->trailers.get("grpc-status"), "0");
}

struct Bad {
  const char* name;
  std::string bytes;
  bool eof;
  Code code;
};

const std::string kHead = "HTTP/1.1 200 OK\r\n";
const Bad kBad[] = {
    {"nothing", "", true, Code::kAborted},
    {"half a head", "HTTP/1.1 20", true, Code::kUnavailable},
    {"half a body", kHead + "Content-Length: 2\r\n\r\na", true, Code::kUnavailable},
    {"half a chunk", kHead + "Transfer-Encoding: chunked\r\n\r\n2\r\na", true, Code::kUnavailable},
    {"no last chunk", kHead + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", true, Code::kUnavailable},
    {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", false, Code::kInternal},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", false, Code::kInternal},
    {"bad status", "HTTP/1.1 2x0 OK\r\n\r\n", false, Code::kInternal},
    {"status below 100", "HTTP/1.1 099 OK\r\n\r\n", false, Code::kInternal},
    {"101 unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false, Code::kInternal},
    {"length and chunks", kHead + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", false,
     Code::kInternal},
    {"two lengths", kHead + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", false, Code::kInternal},
    {"other coding", kHead + "Transfer-Encoding: gzip, chunked\r\n\r\n", false, Code::kInternal},
    {"folded", kHead + "a: b\r\n c\r\n\r\n", false, Code::kInternal},
    {"bad chunk", kHead + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc", false, Code::kInternal},
    {"large head", kHead + "a: " + std::string(1'070'000, 'b') + "\r\n\r\n", false, Code::kResourceExhausted},
};

TEST_F(Http1Client, FailsOnABadResponse) {
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.name);
    Wire fresh;
    std::optional<Status> over;
    auto client = connect_http1(fresh.loop, std::move(fresh.under_test), {}, [&](Status s) { over = s; });
    Recorder recorder;
    recorder.client = client->open({.method = "GET", .target = "/", .authority = "a"}, true, &recorder);
    fresh.receive();
    fresh.send(bad.bytes);
    if (bad.eof) fresh.raw->shutdown_write();
    fresh.poll();
    ASSERT_TRUE(recorder.failed);
    EXPECT_EQ(recorder.failed->code(), bad.code) << recorder.failed->to_string();
    EXPECT_NE(recorder.failed->message().find("memory"), std::string::npos);
    EXPECT_FALSE(recorder.finished());
    EXPECT_TRUE(over);
  }
}

TEST_F(Http1Client, NoticesThatAnIdleConnectionWasClosed) {
  connect();
  wire.poll();
  EXPECT_EQ(connection->available(), 1U);
  wire.raw.reset();
  wire.poll();
  EXPECT_EQ(closed->code(), Code::kUnavailable);
  EXPECT_EQ(connection, nullptr);
}

TEST_F(Http1Client, TrustsNoServerThatSpeaksUnasked) {
  connect();
  wire.poll();
  wire.send(kOk);
  EXPECT_EQ(closed->code(), Code::kUnavailable);
}

TEST_F(Http1Client, StopsSendingWhenTheResponseIsComplete) {
  connect();
  open({.method = "POST", .target = "/", .authority = "a"}, false);
  wire.receive();
  into->client->write(bytes_of("abc"));
  wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(into->response->status, 413);
  EXPECT_TRUE(into->response_ended);
  EXPECT_FALSE(into->failed);
  into->client->write(bytes_of("more"));
  wire.receive();
  EXPECT_TRUE(wire.closed);
  EXPECT_TRUE(closed);
}

TEST_F(Http1Client, DeliversAtMostAWindowAheadOfConsume) {
  connect({.stream_window = 1000});
  get();
  into->auto_consume = false;
  wire.receive();
  wire.send("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
  wire.send(std::string(50'000, 'x'));
  EXPECT_EQ(into->body.size(), 1000U);
  into->auto_consume = true;
  into->client->consume(1000);
  EXPECT_EQ(into->body.size(), 1000U);
  wire.poll();
  EXPECT_EQ(into->body.size(), 50'000U);
  EXPECT_TRUE(into->ended);
}

TEST_F(Http1Client, SwitchesProtocolsAndKeepsWhatWasWrittenBefore) {
  connect();
  open({.method = "POST", .target = "/exec", .authority = "a", .upgrade = "SPDY/3.1"}, false);
  into->client->write(bytes_of("early"));
  EXPECT_EQ(into->client->unsent(), 5U);
  EXPECT_EQ(wire.receive(),
            "POST /exec HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: "
            "SPDY/3.1\r\n\r\n");
  wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nraw");
  EXPECT_EQ(into->response->status, 101);
  EXPECT_EQ(into->response->upgrade, "SPDY/3.1");
  EXPECT_FALSE(into->response_ended);
  EXPECT_EQ(into->body, "raw");
  EXPECT_EQ(wire.receive(), "early");
  EXPECT_EQ(into->sent, 5U);
  into->client->write(bytes_of("bye"));
  into->client->end();
  EXPECT_EQ(wire.receive(), "bye");
  EXPECT_TRUE(wire.closed);
  EXPECT_FALSE(into->ended);
  wire.raw->shutdown_write();
  wire.poll();
  EXPECT_TRUE(into->ended);
  EXPECT_TRUE(closed);
}

TEST_F(Http1Client, GivesTheStreamAway) {
  connect();
  open({.method = "GET", .target = "/", .authority = "a", .upgrade = "websocket"});
  EXPECT_EQ(into->client->take_stream(), nullptr);
  wire.receive();
  std::unique_ptr<io::Stream> stream;
  into->after_response = [&] {
    stream = into->client->take_stream();
    into->client.reset();
    connection.reset();
  };
  wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(into->body, "");
  std::byte buffer[20];
  EXPECT_EQ(stream->read(buffer).bytes, 5U);
  io::write(*stream, bytes_of("back"));
  EXPECT_EQ(wire.receive(), "back");
}

TEST_F(Http1Client, ARefusedUpgradeIsAnOrdinaryResponse) {
  connect();
  open({.method = "GET", .target = "/", .authority = "a", .upgrade = "websocket"}, false);
  wire.receive();
  wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(into->response->status, 403);
  EXPECT_EQ(into->body, "no");
  EXPECT_TRUE(into->ended);
  EXPECT_EQ(connection->available(), 1U);
}

TEST_F(Http1Client, AbandoningARequestClosesTheConnection) {
  connect();
  get();
  wire.receive();
  into->client.reset();
  EXPECT_FALSE(closed);
  EXPECT_EQ(connection->available(), 0U);
  wire.receive();
  EXPECT_EQ(closed->code(), Code::kCancelled);
  EXPECT_TRUE(wire.closed);
}

TEST_F(Http1Client, DestroyingTheConnectionFailsTheRequest) {
  connect();
  get();
  connection.reset();
  EXPECT_EQ(into->failed->code(), Code::kUnavailable);
  into->client->write(bytes_of("x"));
  wire.poll();
}

TEST_F(Http1Client, GivesUpOnAServerThatTakesNothing) {
  connect();
  open({.method = "POST", .target = "/", .authority = "a"}, false);
  const std::string piece(200'000, 'x');
  into->client->write(bytes_of(piece));
  wire.poll();
  wire.advance(std::chrono::seconds(61));
  EXPECT_EQ(into->failed->code(), Code::kUnavailable);
  EXPECT_EQ(closed->code(), Code::kUnavailable);
}

TEST_F(Http1Client, SurvivesAnEndInEachCallback) {
  const char* const points[] = {"response", "body", "end", "sent", "failed", "closed"};
  const char* const responses[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
  };
  for (const std::string point : points) {
    for (const char* response : responses) {
      for (const bool whole_connection : {false, true}) {
        SCOPED_TRACE(point + (whole_connection ? " connection " : " exchange ") + response);
        Wire fresh;
        Recorder recorder;
        std::unique_ptr<ClientConnection> client;
        const auto act = [&] {
          if (whole_connection) {
            client.reset();
          } else {
            recorder.client.reset();
          }
        };
        if (point == "response") recorder.after_response = act;
        if (point == "body") recorder.after_body = act;
        if (point == "end") recorder.after_end = act;
        if (point == "sent") recorder.after_sent = act;
        if (point == "failed") recorder.after_failed = act;
        client = connect_http1(fresh.loop, std::move(fresh.under_test), {}, [&](Status) {
          if (point == "closed") act();
        });
        recorder.auto_consume = false;
        recorder.client = client->open({.method = "PUT", .target = "/", .authority = "a"}, false, &recorder);
        recorder.client->write(bytes_of("abc"));
        recorder.client->end();
        fresh.poll();
        fresh.send(response);
        fresh.raw.reset();
        fresh.poll();
        EXPECT_TRUE(!client || client->active() == 0);
      }
    }
  }
}

}  // namespace
}  // namespace towline::http
