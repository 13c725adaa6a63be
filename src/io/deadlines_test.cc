#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/dial.h"
#include "io/guarded_dialer.h"
#include "io/http_proxy.h"
#include "io/listen.h"
#include "io/testing.h"
#include "io/tls.h"

/// A loop that comes late, because its thread or the machine has slept, finds the deadline of an operation
/// and those of its steps in one turn.
namespace towline::io {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Dialled = Result<std::unique_ptr<Stream>>;

// A step that has a deadline of its own, which is just after that of the whole.
class Step final : public Operation {
 public:
  Step(Loop& loop, milliseconds time, Task fails) : timer_(loop, std::move(fails)) {
    timer_.start(time + milliseconds(1));
  }

 private:
  Timer timer_;
};

class SlowDialer final : public Dialer {
 public:
  std::unique_ptr<Operation> dial(Loop& loop, DialTarget, milliseconds timeout,
                                  StreamCallback callback) override {
    return std::make_unique<Step>(loop, timeout, [callback = std::move(callback)]() mutable {
      callback(fail(Code::kDeadlineExceeded, "the step"));
    });
  }
};

class SlowResolver final : public Resolver {
 public:
  std::unique_ptr<Operation> resolve(Loop& loop, std::string, std::uint16_t, Callback callback) override {
    return std::make_unique<Step>(loop, seconds(30), [callback = std::move(callback)]() mutable {
      callback(fail(Code::kDeadlineExceeded, "the step"));
    });
  }
};

ProxySettings proxy_at(const std::string& url) {
  return ProxySettings::from_environment([&](const char* name) {
           return std::string_view(name) == "HTTPS_PROXY" ? url.c_str() : nullptr;
         })
      .value();
}

class DeadlinesTest : public ::testing::Test {
 protected:
  // The callback lets the operation live, as an owner does that ends it later.
  void dial(Dialer& dialer, const std::string& host = "kas.example.com") {
    auto tls = TlsClientContext::create({});
    ASSERT_TRUE(tls.has_value());
    operation = dialer.dial(loop, {.host = host, .port = 443, .tls = *tls}, seconds(30), [&](Dialled result) {
      ++calls;
      EXPECT_FALSE(result.has_value());
    });
  }
  void expect_one_call_after_a_long_sleep() {
    clock.advance(hours(1));
    loop.poll();
    loop.poll();
    EXPECT_EQ(calls, 1);
  }

  FakeClock clock;
  Loop loop{clock};
  SlowDialer slow;
  SlowResolver resolver;
  int calls = 0;
  std::unique_ptr<Operation> operation;
};

TEST_F(DeadlinesTest, OfADialThroughAProxyAndOfTheDialToItInOneTurn) {
  const auto dialer = proxy_dialer(slow, proxy_at("http://192.0.2.1:3128"), nullptr);
  dial(*dialer);
  expect_one_call_after_a_long_sleep();
}

TEST_F(DeadlinesTest, OfADialThroughAProxyWithTlsThatIsSilent) {
  std::unique_ptr<Stream> accepted;
  const auto listener =
      listen(loop, "127.0.0.1", 0, false, [&](auto stream) { accepted = std::move(stream); });
  const auto system = system_resolver();
  const auto direct = direct_dialer(*system);
  const auto dialer =
      proxy_dialer(*direct, proxy_at("https://127.0.0.1:" + std::to_string((*listener)->port())),
                   TlsClientContext::create({}).value());
  dial(*dialer);
  ASSERT_TRUE(testing::run_until(loop, [&] { return accepted != nullptr; }));
  testing::settle(loop);
  expect_one_call_after_a_long_sleep();
}

TEST_F(DeadlinesTest, OfADialAndOfTheNameServersInOneTurn) {
  const auto dialer = direct_dialer(resolver);
  dial(*dialer);
  expect_one_call_after_a_long_sleep();
}

TEST_F(DeadlinesTest, OfAGuardedDialAndItsStepsInOneTurn) {
  const auto dialer = guarded_dialer(resolver, slow, AddressPolicy::parse({}).value(), {});
  dial(*dialer);
  expect_one_call_after_a_long_sleep();
}

TEST_F(DeadlinesTest, OfAGuardedDialThroughAProxyInOneTurn) {
  const auto dialer = guarded_dialer(resolver, slow, AddressPolicy::parse({}).value(),
                                     proxy_at("http://proxy.example.com:3128"), nullptr);
  dial(*dialer);
  expect_one_call_after_a_long_sleep();
}

TEST_F(DeadlinesTest, OfARefusedGuardedDialInOneTurn) {
  const auto dialer = guarded_dialer(resolver, slow, AddressPolicy::parse({}).value(), {});
  dial(*dialer, "127.0.0.1");
  expect_one_call_after_a_long_sleep();
}

}  // namespace
}  // namespace towline::io
