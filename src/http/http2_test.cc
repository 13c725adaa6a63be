#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "http/client.h"
#include "http/server.h"
#include "io/loop.h"
#include "io/pair.h"

namespace towline::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Records what one end of an exchange is told.
class Recorder : public ExchangeHandler {
 public:
  virtual ~Recorder() = default;
  void on_response(ResponseHead head, bool end) override {
    response = std::move(head);
    ended = end;
  }
  void on_body(std::span<const std::byte> data) override {
    body.append(reinterpret_cast<const char*>(data.data()), data.size());
    if (after_body) after_body(data.size());
  }
  void on_end(Headers t) override {
    ended = true;
    trailers = std::move(t);
    if (after_end) after_end();
  }
  void on_sent(std::size_t n) override { sent += n; }
  void on_failed(Status s) override { failure = std::move(s); }

  std::optional<ResponseHead> response;
  std::string body;
  bool ended = false;
  Headers trailers;
  std::size_t sent = 0;
  std::optional<Status> failure;
  std::function<void(std::size_t)> after_body;
  std::function<void()> after_end;
};

// A request as the server saw it.
struct Incoming : Recorder {
  RequestHead head;
  bool has_body = false;
  std::unique_ptr<ServerExchange> exchange;
};

class Http2Test : public ::testing::Test, public RequestHandler {
 protected:
  void on_request(RequestHead head, bool has_body, std::unique_ptr<ServerExchange> exchange) override {
    auto incoming = std::make_unique<Incoming>();
    incoming->head = std::move(head);
    incoming->has_body = has_body;
    incoming->exchange = std::move(exchange);
    incoming->exchange->set_handler(incoming.get());
    requests.push_back(std::move(incoming));
    if (on_arrival) on_arrival(*requests.back());
  }

  void start(ServerConnectionOptions server_options = {}, ClientConnectionOptions client_options = {}) {
    auto [a, b] = io::stream_pair(loop, 256 * 1024);
    server = serve_http2(loop, std::move(a), *this, server_options, [this] { server_closed = true; });
    client = connect_http2(loop, std::move(b), client_options, [this](Status s) { client_closed = s; });
    settle();
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  static RequestHead get(std::string target = "/") {
    return {.method = "GET", .target = std::move(target), .authority = "example.com"};
  }
  static RequestHead post() { return {.method = "POST", .target = "/upload", .authority = "example.com"}; }

  FakeClock clock;
  io::Loop loop{clock};
  std::unique_ptr<ServerConnection> server;
  std::unique_ptr<ClientConnection> client;
  std::vector<std::unique_ptr<Incoming>> requests;
  std::function<void(Incoming&)> on_arrival;
  bool server_closed = false;
  std::optional<Status> client_closed;
};

TEST_F(Http2Test, ARequestAndItsResponseCarryHeadBodyAndTrailers) {
  start();
  Recorder answer;
  RequestHead head = post();
  head.headers.add("X-Test", "1");
  auto exchange = client->open(head, false, &answer);
  exchange->write(bytes("hello"));
  exchange->end();
  settle();
  ASSERT_EQ(requests.size(), 1U);
  Incoming& request = *requests[0];
  EXPECT_EQ(request.head.method, "POST");
  EXPECT_EQ(request.head.target, "/upload");
  EXPECT_EQ(request.head.authority, "example.com");
  EXPECT_EQ(request.head.headers.get("x-test"), "1");
  EXPECT_TRUE(request.has_body);
  EXPECT_EQ(request.body, "hello");
  EXPECT_TRUE(request.ended);

  request.exchange->respond({.status = 201, .headers = {{"x-answer", "2"}}}, false);
  request.exchange->write(bytes("world"));
  request.exchange->end({{"grpc-status", "0"}});
  request.exchange.reset();
  settle();
  ASSERT_TRUE(answer.response.has_value());
  EXPECT_EQ(answer.response->status, 201);
  EXPECT_EQ(answer.response->headers.get("x-answer"), "2");
  EXPECT_EQ(answer.body, "world");
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.trailers.get("grpc-status"), "0");
  EXPECT_EQ(client->active(), 0U);
  EXPECT_EQ(server->active(), 0U);
  EXPECT_FALSE(answer.failure.has_value());
}

TEST_F(Http2Test, BodyAheadOfConsumeIsBoundedByTheWindow) {
  ServerConnectionOptions options;
  options.limits.stream_window = 64 * 1024;
  start(options);
  Recorder answer;
  auto exchange = client->open(post(), false, &answer);
  const std::string block(1024 * 1024, 'x');
  exchange->write(bytes(block));
  settle();
  Incoming& request = *requests[0];
  EXPECT_EQ(request.body.size(), 64U * 1024);
  EXPECT_EQ(exchange->unsent(), block.size() - 64 * 1024);
  EXPECT_EQ(answer.sent, 64U * 1024);
  request.after_body = [&](std::size_t n) { request.exchange->consume(n); };
  request.exchange->consume(64 * 1024);
  exchange->end();
  settle();
  EXPECT_EQ(request.body.size(), block.size());
  EXPECT_TRUE(request.ended);
  EXPECT_EQ(answer.sent, block.size());
}

TEST_F(Http2Test, AStreamThatIsNotReadDoesNotHoldUpOthers) {
  start();
  Recorder slow, quick;
  auto first = client->open(post(), false, &slow);
  first->write(bytes(std::string(4 * 1024 * 1024, 's')));
  settle();
  auto second = client->open(post(), false, &quick);
  second->write(bytes("quick"));
  second->end();
  settle();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_TRUE(requests[1]->ended);
  EXPECT_EQ(requests[1]->body, "quick");
}

TEST_F(Http2Test, UnreadBytesOfAllStreamsAreBounded) {
  ServerConnectionOptions options;
  options.limits.stream_window = 64 * 1024;
  options.limits.connection_window = 256 * 1024;
  start(options);
  std::vector<Recorder> answers(32);
  std::vector<std::unique_ptr<ClientExchange>> exchanges;
  for (Recorder& answer : answers) {
    exchanges.push_back(client->open(post(), false, &answer));
    exchanges.back()->write(bytes(std::string(64 * 1024, 'x')));
  }
  settle();
  std::size_t delivered = 0;
  for (const auto& request : requests) delivered += request->body.size();
  EXPECT_LE(delivered, 512U * 1024);  // the limit and what was in flight when it was reached
  for (const auto& request : requests) {
    request->after_body = [raw = request.get()](std::size_t n) { raw->exchange->consume(n); };
    request->exchange->consume(request->body.size());
  }
  settle();
  delivered = 0;
  for (const auto& request : requests) delivered += request->body.size();
  EXPECT_EQ(delivered, 32U * 64 * 1024);
}

TEST_F(Http2Test, DroppingAClientExchangeTellsTheServer) {
  start();
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  exchange.reset();
  settle();
  ASSERT_TRUE(requests[0]->failure.has_value());
  EXPECT_EQ(requests[0]->failure->code(), Code::kCancelled);
  EXPECT_FALSE(answer.failure.has_value());
  EXPECT_EQ(server->active(), 0U);
  EXPECT_EQ(client->active(), 0U);
}

TEST_F(Http2Test, DroppingAnExchangeBeforeItLeftSendsNothing) {
  start();
  Recorder answer;
  client->open(get(), true, &answer).reset();
  settle();
  EXPECT_EQ(client->active(), 0U);
  EXPECT_TRUE(requests.empty());
}

TEST_F(Http2Test, AnExchangeMayGoInEachOfItsCallbacks) {
  start();
  on_arrival = [](Incoming& in) { in.after_body = [&](std::size_t) { in.exchange.reset(); }; };
  Recorder answer;
  auto exchange = client->open(post(), false, &answer);
  exchange->write(bytes("x"));
  settle();
  ASSERT_TRUE(answer.failure.has_value());
  EXPECT_EQ(answer.failure->code(), Code::kCancelled);
}

TEST_F(Http2Test, AServerThatAnswersEarlyStopsTheRestOfTheRequest) {
  start();
  on_arrival = [](Incoming& in) {
    in.exchange->respond({.status = 413}, true);
    in.exchange.reset();
  };
  Recorder answer;
  auto exchange = client->open(post(), false, &answer);
  exchange->write(bytes(std::string(100'000, 'x')));
  settle();
  ASSERT_TRUE(answer.response.has_value());
  EXPECT_EQ(answer.response->status, 413);
  EXPECT_TRUE(answer.ended);
  EXPECT_FALSE(answer.failure.has_value());
  EXPECT_EQ(client->active(), 0U);
}

TEST_F(Http2Test, OversizedHeadsAreAnsweredWith431) {
  ServerConnectionOptions options;
  options.limits.header_bytes = 4096;
  start(options);
  Recorder answer;
  RequestHead head = get();
  for (int i = 0; i < 20; ++i) head.headers.add("x-" + std::to_string(i), std::string(400, 'a'));
  auto exchange = client->open(head, true, &answer);
  settle();
  EXPECT_TRUE(requests.empty());
  ASSERT_TRUE(answer.response.has_value());
  EXPECT_EQ(answer.response->status, 431);
}

TEST_F(Http2Test, TheStreamLimitIsKeptAndCanBeRaised) {
  ServerConnectionOptions options;
  options.limits.streams = 2;
  start(options);
  Recorder answers[5];
  std::vector<std::unique_ptr<ClientExchange>> exchanges;
  for (int i = 0; i < 2; ++i) exchanges.push_back(client->open(get(), true, &answers[i]));
  settle();
  EXPECT_EQ(client->available(), 0U);
  EXPECT_EQ(client->open(get(), true, &answers[2]), nullptr);
  requests[0]->exchange->set_stream_limit(100);
  settle();
  EXPECT_EQ(client->available(), 98U);
}

TEST_F(Http2Test, AnExchangesPeerIsWhomAProxySpeaksFor) {
  start();
  Recorder answers[2];
  std::unique_ptr<ClientExchange> exchanges[2];
  for (int i = 0; i < 2; ++i) exchanges[i] = client->open(get(), true, &answers[i]);
  settle();
  requests[0]->exchange->set_peer("203.0.113.9");
  EXPECT_EQ(requests[0]->exchange->peer(), "203.0.113.9");
  EXPECT_EQ(requests[1]->exchange->peer(), "memory");
  exchanges[0].reset();
  settle();
  EXPECT_EQ(requests[0]->exchange->peer(), "203.0.113.9") << "the log asks when all is over";
}

TEST_F(Http2Test, ALostConnectionFailsItsExchanges) {
  start();
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  server.reset();
  settle();
  ASSERT_TRUE(answer.failure.has_value());
  EXPECT_EQ(answer.failure->code(), Code::kUnavailable);
  ASSERT_TRUE(client_closed.has_value());
  ASSERT_TRUE(requests[0]->failure.has_value());
  exchange->write(bytes("to nobody"));
  exchange->end();
}

TEST_F(Http2Test, AnExchangeOutlivesItsConnection) {
  start();
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  client.reset();
  settle();
  EXPECT_TRUE(answer.failure.has_value());
  exchange->consume(1);
  exchange.reset();
  EXPECT_TRUE(requests[0]->failure.has_value());
}

TEST_F(Http2Test, DrainLetsRunningRequestsFinish) {
  start();
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  server->drain();
  settle();
  ASSERT_TRUE(client_closed.has_value());  // told by GOAWAY
  EXPECT_EQ(client->available(), 0U);
  EXPECT_FALSE(server_closed);
  EXPECT_FALSE(answer.failure.has_value());
  requests[0]->exchange->respond({.status = 200}, true);
  settle();
  EXPECT_TRUE(answer.ended);
  EXPECT_TRUE(server_closed);
}

TEST_F(Http2Test, AConnectionWithoutARequestIsClosed) {
  start();
  clock.advance(seconds(10));
  settle();
  EXPECT_TRUE(server_closed);
}

TEST_F(Http2Test, AnIdleConnectionIsClosedAndABusyOneIsNot) {
  ServerConnectionOptions options;
  options.keepalive = milliseconds(0);
  start(options);
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  clock.advance(seconds(1000));
  settle();
  EXPECT_FALSE(server_closed);
  requests[0]->exchange->respond({.status = 204}, true);
  settle();
  clock.advance(seconds(119));
  settle();
  EXPECT_FALSE(server_closed);
  clock.advance(seconds(2));
  settle();
  EXPECT_TRUE(server_closed);
}

TEST_F(Http2Test, KeepaliveKeepsAHealthyConnection) {
  ServerConnectionOptions options;
  options.limits.header_timeout = seconds(100'000);
  start(options, {.keepalive = seconds(55)});
  for (int i = 0; i < 10; ++i) {
    clock.advance(seconds(56));
    settle();
  }
  EXPECT_FALSE(client_closed.has_value());
}

TEST_F(Http2Test, KeepaliveFailsAPeerThatDoesNotAnswer) {
  auto [a, b] = io::stream_pair(loop);
  client = connect_http2(loop, std::move(b), {.keepalive = seconds(55), .keepalive_timeout = seconds(20)},
                         [this](Status s) { client_closed = s; });
  settle();
  clock.advance(seconds(56));
  settle();
  EXPECT_FALSE(client_closed.has_value());
  clock.advance(seconds(21));
  settle();
  ASSERT_TRUE(client_closed.has_value());
  EXPECT_THAT(client_closed->message(), HasSubstr("keepalive"));
}

TEST_F(Http2Test, APeerThatPingsTooOftenIsSentAway) {
  start({}, {.keepalive = seconds(1)});
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  for (int i = 0; i < 10; ++i) {
    clock.advance(seconds(2));
    settle();
  }
  EXPECT_TRUE(server_closed);
  EXPECT_TRUE(answer.failure.has_value());
}

TEST_F(Http2Test, ContinueIsSentWhenTheBodyIsWanted) {
  start();
  Recorder answer;
  RequestHead head = post();
  head.headers.add("expect", "100-continue");
  auto exchange = client->open(head, false, &answer);
  settle();
  requests[0]->exchange->consume(0);
  settle();
  EXPECT_FALSE(answer.response.has_value());  // 100 is not the response
  requests[0]->exchange->respond({.status = 200}, true);
  settle();
  ASSERT_TRUE(answer.response.has_value());
  EXPECT_EQ(answer.response->status, 200);
}

TEST_F(Http2Test, HeadResponsesKeepTheirLengthAndHaveNoBody) {
  start();
  Recorder answer;
  auto exchange = client->open({.method = "HEAD", .target = "/", .authority = "a"}, true, &answer);
  settle();
  requests[0]->exchange->respond({.status = 200, .content_length = 5}, false);
  requests[0]->exchange->write(bytes("hello"));
  settle();
  requests[0]->exchange->end();
  settle();
  EXPECT_EQ(answer.response->content_length, 5U);
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(requests[0]->sent, 5U);
}

TEST_F(Http2Test, CookiesSplitByHttp2AreJoined) {
  start();
  Recorder answer;
  RequestHead head = get();
  head.headers.add("cookie", "a=1");
  head.headers.add("cookie", "b=2");
  auto exchange = client->open(head, true, &answer);
  settle();
  EXPECT_EQ(requests[0]->head.headers.get("cookie"), "a=1; b=2");
}

TEST_F(Http2Test, GarbageInsteadOfAPrefaceClosesTheConnection) {
  auto [a, b] = io::stream_pair(loop);
  server = serve_http2(loop, std::move(a), *this, {}, [this] { server_closed = true; });
  io::write(*b, bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  settle();
  EXPECT_TRUE(server_closed);
}

TEST_F(Http2Test, AHeadThatIsRefusedDoesNotTimeTheConnectionOut) {
  auto [a, b] = io::stream_pair(loop, 256 * 1024);
  server = serve_http2(loop, std::move(a), *this, {}, [this] { server_closed = true; });
  io::write(*b, bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  io::write(*b, bytes(std::string_view("\0\0\0\4\0\0\0\0\0", 9)));
  // ":method" twice; then a good request.
  io::write(*b, bytes(std::string_view("\0\0\2\1\5\0\0\0\1\x82\x82", 11)));
  io::write(*b, bytes(std::string_view("\0\0\6\1\5\0\0\0\3\x82\x86\x84\x01\x01"
                                       "a",
                                       15)));
  settle();
  ASSERT_EQ(requests.size(), 1U);
  clock.advance(seconds(11));
  settle();
  EXPECT_FALSE(server_closed);
}

TEST_F(Http2Test, RapidResetIsCutOff) {
  ServerConnectionOptions options;
  options.limits.reset_burst = 50;
  options.limits.resets_per_second = 1;
  start(options);
  Recorder answer;
  for (int i = 0; i < 200 && !server_closed; ++i) {
    auto exchange = client->open(get(), true, &answer);
    if (exchange == nullptr) break;
    settle();
    exchange.reset();
    settle();
  }
  EXPECT_TRUE(server_closed);
  EXPECT_LE(requests.size(), 60U);
}

TEST_F(Http2Test, ResettingWhatIsAnsweredDoesNotCount) {
  ServerConnectionOptions options;
  options.limits.reset_burst = 50;
  options.limits.resets_per_second = 1;
  start(options);
  for (int i = 0; i < 200; ++i) {
    Recorder answer;
    auto exchange = client->open(post(), false, &answer);
    ASSERT_NE(exchange, nullptr) << i;
    settle();
    requests.back()->exchange->respond({.status = 200}, true);
    settle();
    ASSERT_TRUE(answer.ended);
    exchange.reset();
    settle();
  }
  EXPECT_EQ(server->active(), 0U);
  EXPECT_FALSE(server_closed);
}

TEST_F(Http2Test, MakingTheServerResetIsCutOff) {
  ServerConnectionOptions options;
  options.limits.reset_burst = 50;
  options.limits.resets_per_second = 1;
  start(options);
  for (int i = 0; i < 200 && !server_closed; ++i) {
    Recorder answer;
    RequestHead head = post();
    head.content_length = 1;
    auto exchange = client->open(head, false, &answer);
    if (exchange == nullptr) break;
    exchange->write(bytes("more than one"));
    exchange->end();
    settle();
  }
  EXPECT_TRUE(server_closed);
  EXPECT_LE(requests.size(), 60U);
}

TEST_F(Http2Test, TheOwnerMayDropItsConnectionInACallback) {
  start();
  on_arrival = [this](Incoming&) { server.reset(); };
  Recorder answer;
  auto exchange = client->open(get(), true, &answer);
  settle();
  EXPECT_TRUE(answer.failure.has_value());
  EXPECT_TRUE(requests[0]->failure.has_value());
}

}  // namespace
}  // namespace towline::http
