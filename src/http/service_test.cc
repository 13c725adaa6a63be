#include "http/service.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "http/send_pieces.h"
#include "http/simple_test_support.h"

namespace towline::http {
namespace {

// Who shows "authorization: user 7" is that user, "wrong" is refused, and the rest are strangers.
struct Plain final : Service {
  using Answer = std::function<Reply(const Request&)>;
  Plain(io::FairPool& workers, Answer reply, const ServiceLimits& limits = {})
      : pool(workers), answers(std::move(reply)), handler(handle_with(*this, limits)) {}

  bool bears_credentials(const RequestHead& head) const override { return head.headers.has("authorization"); }
  std::shared_ptr<const Visitor> identify(const Request& request) override {
    ++asked;
    EXPECT_TRUE(request.body.empty());
    Visitor visitor;
    const std::string_view shown = *request.head.headers.get("authorization");
    visitor.who = io::Caller::address(request.peer);
    if (shown.starts_with("user ")) visitor.who = io::Caller::user(shown.back() - '0');
    if (shown == "wrong") visitor.refusal = json_message(401, "who is that?");
    return std::make_shared<const Visitor>(std::move(visitor));
  }
  Reply answer(const Request& request, const Visitor&) override { return answers(request); }
  io::FairPool& doorkeepers() override { return door; }
  io::FairPool& workers(const RequestHead&) override { return pool; }

  std::atomic<int> asked = 0;
  io::FairPool door{1};
  io::FairPool& pool;
  Answer answers;
  std::unique_ptr<RequestHandler> handler;
};

struct ServiceTest : Simple {
  static Request from_user(int id, std::string body) {
    Request made = request(std::move(body));
    made.head.headers.add("authorization", "user " + std::to_string(id));
    return made;
  }
  bool answered() {
    return poll_until([&] { return result.has_value(); });
  }
  // A request to `plain` over a wire of its own.
  static std::unique_ptr<ServerConnection> serve_on(Wire& wire, Plain& plain) {
    return serve_http1(wire.loop, std::move(wire.under_test), *plain.handler, {}, [] {});
  }
};

Reply echo(const Request& r) { return Response{.body = r.body}; }

TEST_F(ServiceTest, AnswersFromThePool) {
  std::atomic<bool> on_loop = true;
  io::FairPool pool(2);
  Plain plain(pool, [&](const Request& r) {
    on_loop = loop.on_loop();
    if (r.body == "throw") throw std::runtime_error("oh \"no\"\n");
    return Response{.status = 201, .body = r.body + "!"};
  });
  serve(*plain.handler);
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

  // However a test ends, it is open before its pool is destroyed.
  class Opened {
   public:
    explicit Opened(Gate& gate) : gate_(gate) {}
    ~Opened() { gate_.open(); }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;

   private:
    Gate& gate_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

TEST_F(ServiceTest, SurvivesAClientThatLeaves) {
  Gate gate;
  std::atomic<int> answered = 0;
  std::atomic<bool> interrupted = false;
  {
    io::FairPool pool(1);
    const Gate::Opened at_the_end(gate);
    Plain plain(pool, [&](const Request& r) {
      gate.pass();
      interrupted = r.interrupt->cancelled();
      ++answered;
      return Response{};
    });
    serve(*plain.handler);
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

TEST_F(ServiceTest, DropsWorkWhoseClientHasLeftBeforeItBegan) {
  Gate gate;
  std::atomic<int> answered = 0;
  {
    io::FairPool pool(1);
    const Gate::Opened at_the_end(gate);
    ASSERT_TRUE(pool.submit(
                        loop, {}, [&] { gate.pass(); }, [] {})
                    .ok());
    ASSERT_TRUE(poll_until([&] { return gate.waiting > 0; }));
    Plain plain(pool, [&](const Request&) {
      ++answered;
      return Response{};
    });
    serve(*plain.handler);
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

TEST_F(ServiceTest, ARequestThatWaitsTooLongForAThreadIsToldSo) {
  Gate gate;
  {
    io::FairPool pool(1);
    const Gate::Opened at_the_end(gate);
    ASSERT_TRUE(pool.submit(
                        loop, {}, [&] { gate.pass(); }, [] {})
                    .ok());
    ASSERT_TRUE(poll_until([&] { return gate.waiting > 0; }));
    Plain plain(pool, [](const Request&) -> Reply { return Response{}; });
    serve(*plain.handler);
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

TEST_F(ServiceTest, AReplyThatComesLaterHoldsNoThread) {
  Slow slow;
  io::FairPool pool(1);
  Plain plain(pool, [&](const Request& r) -> Reply {
    if (r.body == "quick") return Response{.status = 200};
    return slow(r);
  });
  serve(*plain.handler);
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

TEST_F(ServiceTest, AReplyThatComesLaterIsCancelledWhenTheClientLeaves) {
  Slow slow;
  io::FairPool pool(1);
  Plain plain(pool, [&](const Request& r) { return slow(r); });
  serve(*plain.handler);
  go(request("slow"));
  ASSERT_TRUE(poll_until([&] { return slow.running > 0; }));
  client.reset();
  poll();
  EXPECT_EQ(slow.running, 0);
  EXPECT_EQ(server, nullptr);
}

TEST_F(ServiceTest, SaysSoWhenThePoolIsFull) {
  Gate gate;
  {
    io::FairPool pool(1);
    const Gate::Opened at_the_end(gate);
    const auto submit = [&] {
      return pool.submit(
          loop, {}, [&] { gate.pass(); }, [] {});
    };
    ASSERT_TRUE(submit().ok());
    ASSERT_TRUE(poll_until([&] { return gate.waiting > 0; }));  // from here on the thread takes no more
    while (submit().ok()) {
    }
    Plain plain(pool, [](const Request&) -> Reply { return Response{}; });
    serve(*plain.handler);
    go(request("hi"));
    poll();
    ASSERT_TRUE(result);
    EXPECT_EQ((*result)->status, 503);
    EXPECT_EQ((*result)->headers.get("retry-after"), "1");
    gate.open();
  }
  poll();
}

TEST_F(ServiceTest, KnowsWhoItIsBeforeItTakesTheBody) {
  io::FairPool pool(1);
  Plain plain(pool, echo, {.stranger_body = 10, .body = 20});
  serve(*plain.handler);
  go(request("0123456789"));
  ASSERT_TRUE(answered());
  EXPECT_EQ((*result)->status, 200);
  EXPECT_EQ(plain.asked, 0) << "nobody asks who a stranger is";
  go(from_user(7, "0123456789a"));
  ASSERT_TRUE(answered());
  EXPECT_EQ((*result)->body, "0123456789a");
  EXPECT_EQ(plain.asked, 1);
  go(request("0123456789a"));
  ASSERT_TRUE(answered());
  EXPECT_EQ((*result)->status, 413);
  EXPECT_NE((*result)->body.find("10 bytes, the limit for those who do not log in"), std::string::npos);
}

TEST_F(ServiceTest, LimitsTheBodyOfOneWhoIsKnown) {
  io::FairPool pool(1);
  Plain plain(pool, echo, {.stranger_body = 10, .body = 20});
  serve(*plain.handler);
  go(from_user(7, std::string(21, 'x')));
  ASSERT_TRUE(answered());
  EXPECT_EQ((*result)->status, 413);
}

TEST_F(ServiceTest, RefusesWhoIsNotLetInWithoutReadingTheBody) {
  io::FairPool pool(1);
  Plain plain(pool, echo);
  Wire wire;
  const auto raw = serve_on(wire, plain);
  wire.send("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: wrong\r\nContent-Length: 1000\r\n\r\n");
  std::string got;
  ASSERT_TRUE(poll_until([&] {
    got += wire.receive();
    return got.starts_with("HTTP/1.1 401 ");
  })) << got;
}

TEST_F(ServiceTest, TakesAllOfALargeBody) {
  io::FairPool pool(1);
  Plain plain(pool, echo);
  serve(*plain.handler);
  const std::string large(900'000, 'x');
  go(from_user(7, large), 1'000'000);
  ASSERT_TRUE(answered());
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ((*result)->body, large);
}

TEST_F(ServiceTest, LimitsTheBodiesOfAnAddressAndGivesThemBack) {
  io::FairPool pool(1);
  Plain plain(pool, echo, {.bodies_of_address = 10'000});
  Wire first;
  const auto one = serve_on(first, plain);
  first.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + std::string(4000, 'x'));
  Wire second;
  const auto two = serve_on(second, plain);
  second.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n");
  EXPECT_TRUE(second.receive().starts_with("HTTP/1.1 503 ")) << "and its body was not waited for";
  first.raw.reset();
  first.poll();
  Wire third;
  const auto three = serve_on(third, plain);
  third.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n");
  EXPECT_EQ(third.receive(), "");
}

TEST_F(ServiceTest, LimitsTheAnswersThatWaitForTheirReaders) {
  io::FairPool pool(1);
  Plain plain(pool, [](const Request&) -> Reply { return Response{.body = std::string(500'000, 'x')}; },
              {.answers_of_address = 600'000});
  Wire slow;
  const auto one = serve_on(slow, plain);
  slow.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(poll_until([&] {
    slow.poll();
    return slow.writes > 0;
  }));
  Wire next;
  const auto two = serve_on(next, plain);
  next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string got;
  ASSERT_TRUE(poll_until([&] {
    got += next.receive();
    return got.starts_with("HTTP/1.1 ");
  }));
  EXPECT_TRUE(got.starts_with("HTTP/1.1 503 ")) << got.substr(0, 100);
  std::string all;
  while (all.size() < 500'000) {
    const std::string piece = slow.receive();
    if (piece.empty()) break;
    all += piece;
  }
  EXPECT_GE(all.size(), 500'000U) << "the slow reader gets his";
}

TEST_F(ServiceTest, AnAnswerThatNeverComesEndsWithItsTime) {
  Slow slow;
  io::FairPool pool(1);
  Plain plain(pool, [&](const Request& r) { return slow(r); });
  serve(*plain.handler);
  go(request("slow"));
  ASSERT_TRUE(poll_until([&] { return slow.running > 0; }));
  clock.advance(ServiceLimits().slow_time);
  ASSERT_TRUE(answered());
  EXPECT_EQ((*result)->status, 504);
  EXPECT_EQ(slow.running, 0);
}

}  // namespace
}  // namespace towline::http
