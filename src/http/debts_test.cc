// What peers may leave undone over HTTP/2: bodies that do not come, answers that are not read, and for how
// long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/http1_test_support.h"

namespace towline::http {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

struct Debts : testing::Test {
  void start(ServerConnectionOptions options = {}) {
    auto [a, b] = io::stream_pair(loop, 256 * 1024);
    server = serve_http2(loop, std::move(a), requests, std::move(options), [] {});
    client = connect_http2(loop, std::move(b), {}, [](Status) {});
    settle();
  }
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  // In steps, as a loop's time goes.
  void pass(seconds time) {
    for (; time.count() > 0; time -= seconds(5)) {
      clock.advance(seconds(5));
      settle();
    }
  }
  std::unique_ptr<Recorder> ask(bool end = true) {
    auto recorder = std::make_unique<Recorder>();
    recorder->client =
        client->open({.method = end ? "GET" : "POST", .target = "/", .authority = "a"}, end, recorder.get());
    EXPECT_NE(recorder->client, nullptr);
    settle();
    return recorder;
  }
  static void answer(Requests::Item& item, std::size_t size) {
    item.server->respond({});
    item.server->write(bytes_of(std::string(size, 'x')));
    item.server->end();
  }

  FakeClock clock;
  io::Loop loop{clock};
  Requests requests;
  std::unique_ptr<ServerConnection> server;
  std::unique_ptr<ClientConnection> client;
};

TEST_F(Debts, ABodyThatDoesNotComeIsAnsweredBy408) {
  start();
  const auto request = ask(false);
  request->client->write(bytes_of("a"));
  pass(seconds(50));
  EXPECT_FALSE(requests.items.at(0)->failed);
  pass(seconds(40));
  ASSERT_TRUE(requests.items[0]->failed);
  EXPECT_EQ(requests.items[0]->failed->code(), Code::kDeadlineExceeded);
  ASSERT_TRUE(request->response);
  EXPECT_EQ(request->response->status, 408);
  EXPECT_THAT(request->body, HasSubstr("\"kind\":\"Status\""));
  EXPECT_EQ(server->active(), 0U);
}

TEST_F(Debts, ABodyThatTricklesIsGivenUpAndASteadyOneIsNot) {
  start();
  const auto trickle = ask(false);
  const auto steady = ask(false);
  for (int i = 0; i < 60; ++i) {
    trickle->client->write(bytes_of("a"));
    steady->client->write(bytes_of(std::string(10'000, 'x')));
    pass(seconds(5));
  }
  EXPECT_TRUE(requests.items.at(0)->failed);
  EXPECT_FALSE(requests.items.at(1)->failed);
}

TEST_F(Debts, AHandlerThatDoesNotReadIsNotTheClientsFault) {
  requests.on = [](auto& item) { item.auto_consume = false; };
  start();
  const auto request = ask(false);
  request->client->allow_pauses();  // its own patience
  request->client->write(bytes_of(std::string(100'000, 'x')));
  pass(seconds(600));
  EXPECT_FALSE(requests.items.at(0)->failed);
}

TEST_F(Debts, AnAnswerThatIsNotReadIsResetThoughTheConnectionMoves) {
  start();
  const auto unread = ask();
  unread->auto_consume = false;
  answer(*requests.items.at(0), 1'000'000);
  for (int i = 0; i < 20; ++i) {
    const auto other = ask();
    answer(*requests.items.back(), 10);
    settle();
    EXPECT_TRUE(other->finished());
    pass(seconds(5));
  }
  ASSERT_TRUE(unread->failed);
  EXPECT_EQ(unread->failed->code(), Code::kCancelled);
  EXPECT_TRUE(requests.items[0]->failed);
}

TEST_F(Debts, AReaderThatMayPauseLosesNothing) {
  start({.keepalive = seconds(0)});
  const auto slow = ask();
  slow->auto_consume = false;
  requests.items.at(0)->server->allow_pauses();
  answer(*requests.items[0], 1'000'000);
  pass(seconds(3600));
  EXPECT_FALSE(slow->failed);
  slow->auto_consume = true;
  slow->client->consume(slow->body.size());
  settle();
  EXPECT_TRUE(slow->finished());
  EXPECT_EQ(slow->body.size(), 1'000'000U);
}

TEST_F(Debts, AStrangersAnswersHaveABudgetAndAKnownPeersALargerOne) {
  for (const bool known : {false, true}) {
    SCOPED_TRACE(known);
    requests.items.clear();
    start();
    std::vector<std::unique_ptr<Recorder>> asked;
    std::size_t failed = 0;
    for (int i = 0; i < 8; ++i) {
      asked.push_back(ask());
      asked.back()->auto_consume = false;
      if (known) requests.items.back()->server->peer_is_known();
    }
    for (auto& item : requests.items) answer(*item, 2'000'000);
    settle();
    for (auto& item : requests.items) failed += item->failed ? 1U : 0U;
    EXPECT_EQ(failed, known ? 0U : 6U);
  }
}

TEST_F(Debts, ManySmallAnswersToAStrangerAreNoMoreThanItsBudget) {
  ServerConnectionOptions options;
  const auto load = options.loads.host = std::make_shared<Load>();
  start(options);
  std::vector<std::unique_ptr<Recorder>> asked;
  for (int i = 0; i < 90; ++i) {
    asked.push_back(ask());
    asked.back()->auto_consume = false;
  }
  for (auto& item : requests.items) answer(*item, 900'000);
  settle();
  EXPECT_LE(load->unsent.load(), options.limits.stranger_unsent);
}

TEST_F(Debts, OneAnswerMayBeAsLargeAsItIs) {
  start();
  const auto one = ask();
  one->auto_consume = false;
  answer(*requests.items.at(0), 20'000'000);
  settle();
  EXPECT_FALSE(requests.items[0]->failed);
}

TEST_F(Debts, AHostThatOwesTooMuchServesNoStrangers) {
  ServerConnectionOptions options;
  options.limits.host_unsent = 10'000'000;
  options.loads.host = std::make_shared<Load>();
  start(options);
  options.loads.host->unsent = 20'000'000;
  const auto refused = ask();
  ASSERT_TRUE(refused->response);
  EXPECT_EQ(refused->response->status, 503);
  EXPECT_TRUE(refused->response->headers.has("retry-after"));
  EXPECT_TRUE(requests.items.empty());
}

TEST_F(Debts, UnsentBytesLeaveTheHostsSumWithTheirConnection) {
  ServerConnectionOptions options;
  const auto load = options.loads.host = std::make_shared<Load>();
  start(options);
  const auto unread = ask();
  unread->auto_consume = false;
  answer(*requests.items.at(0), 3'000'000);
  settle();
  EXPECT_GT(load->unsent.load(), 2'000'000U);
  server.reset();
  settle();
  EXPECT_EQ(load->unsent.load(), 0U);
}

TEST_F(Debts, StrangersHaveFewerStreamsUntilTheyAreKnown) {
  start();
  EXPECT_EQ(client->available(), 100U);
  const auto request = ask();
  requests.items.at(0)->server->peer_is_known();
  settle();
  EXPECT_EQ(client->available(), 255U);
}

TEST_F(Debts, WhoIsSendingABodyHearsOfMoreStreamsAfterIt) {
  start();
  const auto upload = ask(false);
  upload->client->write(bytes_of("a"));
  settle();
  requests.items.at(0)->server->peer_is_known();
  settle();
  EXPECT_EQ(client->available(), 99U);
  upload->client->end();
  settle();
  EXPECT_EQ(client->available(), 255U);
}

TEST_F(Debts, AnHttp1ServersUnsentBytesAreCountedToo) {
  auto [a, b] = io::stream_pair(loop, 1024);
  ServerConnectionOptions options;
  const auto load = options.loads.host = std::make_shared<Load>();
  server = serve_http1(loop, std::move(a), requests, options, [] {});
  settle();
  io::write(*b, bytes_of(kGet));
  settle();
  answer(*requests.items.at(0), 100'000);
  settle();
  EXPECT_GT(load->unsent.load(), 90'000U);
  server.reset();
  EXPECT_EQ(load->unsent.load(), 0U);
}

}  // namespace
}  // namespace towline::http
