#include "http/simple.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "io/fair_pool.h"

namespace towline::http {
namespace {

// A client and a server that talk over memory.
struct Simple : testing::Test {
  void serve(RequestHandler& handler) {
    auto [a, b] = io::stream_pair(loop);
    server = serve_http1(loop, std::move(a), handler, {}, [this] { server.reset(); });
    client = connect_http1(loop, std::move(b), {}, [](Status) {});
  }
  void poll() {
    while (loop.poll() > 0) {
    }
  }
  // Polls until `done`, for at most a few seconds of real time: a pool's threads work meanwhile.
  template <typename Done>
  bool poll_until(Done done) {
    for (int i = 0; i < 5000 && !done(); ++i) {
      if (loop.poll() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done();
  }
  static Request request(std::string body) {
    return {.head = {.method = "POST", .target = "/", .authority = "a"}, .body = std::move(body)};
  }
  void go(const Request& what, std::size_t limit = 1000) {
    result.reset();
    operation = fetch(loop, *client, what, limit, [this](Result<Response> r) { result = std::move(r); });
  }

  FakeClock clock;
  io::Loop loop{clock};
  std::optional<Result<Response>> result;
  std::unique_ptr<ServerConnection> server;
  std::unique_ptr<ClientConnection> client;
  std::unique_ptr<io::Operation> operation;
};

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
  EXPECT_EQ(result->error().code(), Code::kUnavailable);
}

TEST_F(Simple, SyncHandlerAnswersFromThePool) {
  std::atomic<bool> on_loop = true;
  io::FairPool pool(2);
  const auto handler = sync_handler(pool, 100, [&](const Request& r) {
    on_loop = loop.on_loop();
    if (r.body == "throw") throw std::runtime_error("oh \"no\"\n");
    return Response{.status = 201, .body = r.body + "!"};
  });
  serve(*handler);
  go(request("hi"));
  ASSERT_TRUE(poll_until([&] { return result.has_value(); }));
  EXPECT_EQ((*result)->status, 201);
  EXPECT_EQ((*result)->body, "hi!");
  EXPECT_FALSE(on_loop);
  go(request("throw"));
  ASSERT_TRUE(poll_until([&] { return result.has_value(); }));
  EXPECT_EQ((*result)->status, 500);
  EXPECT_EQ((*result)->body, "{\"message\":\"internal error: oh \\\"no\\\"\\u000a\"}\n");
}

// A gate that holds the pool's threads.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting;
    opened_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  std::atomic<int> waiting{0};

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

TEST_F(Simple, SyncHandlerSurvivesAClientThatLeaves) {
  Gate gate;
  std::atomic<int> answered = 0;
  std::atomic<bool> interrupted = false;
  {
    io::FairPool pool(1);
    const auto handler = sync_handler(pool, 100, [&](const Request& r) {
      gate.pass();
      interrupted = r.interrupt->cancelled();
      ++answered;
      return Response{};
    });
    serve(*handler);
    go(request("hi"));
    ASSERT_TRUE(poll_until([&] { return gate.waiting > 0; }));
    client.reset();
    poll();
    EXPECT_EQ(server, nullptr);
    gate.open();
    ASSERT_TRUE(poll_until([&] { return answered > 0; }));
    EXPECT_TRUE(interrupted) << "the work is not told that nobody waits";
  }
  poll();
}

TEST_F(Simple, DropsWorkWhoseClientHasLeftBeforeItBegan) {
  Gate gate;
  std::atomic<int> answered = 0;
  {
    io::FairPool pool(1);
    ASSERT_TRUE(pool.submit(
                        loop, {}, [&] { gate.pass(); }, [] {})
                    .ok());
    ASSERT_TRUE(poll_until([&] { return gate.waiting > 0; }));
    const auto handler = sync_handler(pool, 100, [&](const Request&) {
      ++answered;
      return Response{};
    });
    serve(*handler);
    go(request("hi"));
    poll();
    client.reset();
    poll();
    std::atomic<bool> behind = false;
    ASSERT_TRUE(pool.submit(
                        loop, io::Caller::address("local"), [&] { behind = true; }, [] {})
                    .ok());
    gate.open();
    ASSERT_TRUE(poll_until([&] { return behind.load(); }));
    EXPECT_EQ(answered, 0);
  }
  poll();
}

TEST_F(Simple, ARequestThatWaitsTooLongForAThreadIsToldSo) {
  Gate gate;
  {
    io::FairPool pool(1);
    ASSERT_TRUE(pool.submit(
                        loop, {}, [&] { gate.pass(); }, [] {})
                    .ok());
    ASSERT_TRUE(poll_until([&] { return gate.waiting > 0; }));
    const auto handler = sync_handler(pool, 100, [&](const Request&) { return Response{}; });
    serve(*handler);
    go(request("hi"));
    poll();
    clock.advance(kAnswerTime);
    gate.open();
    ASSERT_TRUE(poll_until([&] { return result.has_value(); }));
    EXPECT_EQ((*result)->status, 503);
    EXPECT_EQ((*result)->headers.get("retry-after"), "1");
  }
  poll();
}

// A handler whose replies come when the test says so.
struct Slow {
  struct Work final : io::Operation {
    explicit Work(int& running) : running_(running) { ++running_; }
    ~Work() override { --running_; }
    int& running_;
  };
  Reply operator()(const Request& request) {
    return [this, &request](io::Loop& loop, std::move_only_function<void(Response)> done) {
      on_loop = loop.on_loop();
      answer = [&request, done = std::move(done)]() mutable { done({.status = 202, .body = request.body}); };
      return std::make_unique<Work>(running);
    };
  }
  int running = 0;
  bool on_loop = false;
  std::move_only_function<void()> answer;
};

TEST_F(Simple, AReplyThatComesLaterHoldsNoThread) {
  Slow slow;
  io::FairPool pool(1);
  const auto handler = sync_handler(pool, 100, [&](const Request& r) -> Reply {
    if (r.body == "quick") return Response{.status = 200};
    return slow(r);
  });
  serve(*handler);
  go(request("slow"));
  ASSERT_TRUE(poll_until([&] { return slow.running > 0; }));
  EXPECT_TRUE(slow.on_loop);
  EXPECT_FALSE(result);

  std::atomic<bool> ran = false;
  ASSERT_TRUE(pool.submit(
                      loop, {}, [&] { ran = true; }, [] {})
                  .ok());
  EXPECT_TRUE(poll_until([&] { return ran.load(); })) << "the pool's only thread is taken";

  std::exchange(slow.answer, {})();
  poll();
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)->status, 202);
  EXPECT_EQ((*result)->body, "slow");
  EXPECT_EQ(slow.running, 0);
  go(request("quick"));
  ASSERT_TRUE(poll_until([&] { return result.has_value(); }));
  EXPECT_EQ((*result)->status, 200);
}

TEST_F(Simple, AReplyThatComesLaterIsCancelledWhenTheClientLeaves) {
  Slow slow;
  io::FairPool pool(1);
  const auto handler = sync_handler(pool, 100, [&](const Request& r) { return slow(r); });
  serve(*handler);
  go(request("slow"));
  ASSERT_TRUE(poll_until([&] { return slow.running > 0; }));
  client.reset();
  poll();
  EXPECT_EQ(slow.running, 0);
  EXPECT_EQ(server, nullptr);
}

TEST_F(Simple, SyncHandlerSaysSoWhenThePoolIsFull) {
  Gate gate;
  {
    io::FairPool pool(1);
    while (pool.submit(
                   loop, {}, [&] { gate.pass(); }, [] {})
               .ok()) {
    }
    const auto handler = sync_handler(pool, 100, [&](const Request&) { return Response{}; });
    serve(*handler);
    go(request("hi"));
    poll();
    ASSERT_TRUE(result);
    EXPECT_EQ((*result)->status, 503);
    EXPECT_EQ((*result)->headers.get("retry-after"), "1");
    gate.open();
  }
  poll();
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
