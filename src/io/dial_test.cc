#include "io/dial.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/testing.h"

namespace towline::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::run_until;
using testing::settle;

using Dialled = Result<std::unique_ptr<Stream>>;

// Answers with what the test says, or never.
class FakeResolver final : public Resolver {
 public:
  std::unique_ptr<Operation> resolve(Loop& loop, std::string, std::uint16_t port,
                                     Callback callback) override {
    if (ips.empty()) return std::make_unique<Operation>();
    std::vector<ResolvedAddress> found;
    for (const std::string& ip : ips) found.push_back({ip, port});
    loop.post([callback = std::move(callback), found]() mutable { callback(found); });
    return std::make_unique<Operation>();
  }
  std::vector<std::string> ips;
};

class DialTest : public ::testing::Test {
 protected:
  std::unique_ptr<Operation> dial(Dialer& with, std::string host, std::uint16_t port,
                                  milliseconds timeout = seconds(30)) {
    return with.dial(loop, {.host = std::move(host), .port = port}, timeout,
                     [this](Dialled dialled) { result = std::move(dialled); });
  }

  SystemClock clock;
  Loop loop{clock};
  std::unique_ptr<Resolver> system = system_resolver();
  std::unique_ptr<Dialer> dialer = direct_dialer(*system);
  testing::ClosedPort closed;
  std::optional<Dialled> result;
};

TEST_F(DialTest, ConnectsToALiteral) {
  auto listener = listen(loop, "127.0.0.1", 0, false, [](auto) {});
  auto operation = dial(*dialer, "127.0.0.1", (*listener)->port());
  EXPECT_FALSE(result.has_value());
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  ASSERT_TRUE(result->has_value()) << result->error().to_string();
  EXPECT_EQ((**result)->peer(), (*listener)->address());
}

TEST_F(DialTest, ConnectsToAName) {
  auto listener = listen(loop, "127.0.0.1", 0, false, [](auto) {});
  auto operation = dial(*dialer, "localhost", (*listener)->port());
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_TRUE(result->has_value()) << result->error().to_string();
}

TEST_F(DialTest, ARefusalNamesAddressAndPort) {
  const std::uint16_t port = closed.port();
  auto operation = dial(*dialer, "127.0.0.1", port);
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error(),
            Status(Code::kUnavailable, "connect 127.0.0.1:" + std::to_string(port) + ": Connection refused"));
}

TEST_F(DialTest, AnUnknownNameIsSaidToBeOne) {
  auto operation = dial(*dialer, "no-such-host.invalid", 1);
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  ASSERT_FALSE(result->has_value());
  EXPECT_THAT(result->error().message(), HasSubstr("resolve no-such-host.invalid: "));
}

TEST_F(DialTest, GoesOnToTheNextAddress) {
  FakeResolver resolver;
  resolver.ips = {"127.0.0.2", "not an address", "127.0.0.1"};
  auto local = direct_dialer(resolver);
  auto listener = listen(loop, "127.0.0.1", 0, false, [](auto) {});
  auto operation = dial(*local, "kas", (*listener)->port());
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_TRUE(result->has_value()) << result->error().to_string();
}

TEST_F(DialTest, ReportsTheLastAddressWhenAllFail) {
  FakeResolver resolver;
  resolver.ips = {"127.0.0.2", "127.0.0.1"};
  auto local = direct_dialer(resolver);
  auto operation = dial(*local, "kas", closed.port());
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_THAT(result->error().message(), HasSubstr("connect 127.0.0.1:"));
}

TEST_F(DialTest, TheDeadlineCoversTheNameServers) {
  FakeClock fake;
  Loop frozen(fake);
  FakeResolver silent;
  auto local = direct_dialer(silent);
  auto operation = local->dial(frozen, {.host = "kas.example.com", .port = 443}, seconds(10),
                               [this](Dialled dialled) { result = std::move(dialled); });
  frozen.poll();
  EXPECT_FALSE(result.has_value());
  fake.advance(seconds(10));
  frozen.poll();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->error(),
            Status(Code::kDeadlineExceeded, "resolve kas.example.com: no answer within 10000 ms"));
}

// 203.0.113.0/24 is for documentation (RFC 5737): nobody answers there, if the machine has a route at all.
TEST_F(DialTest, ASilentAddressDoesNotEatTheTimeOfTheNext) {
  FakeClock fake;
  Loop local_loop(fake);
  FakeResolver resolver;
  resolver.ips = {"203.0.113.1", "127.0.0.1"};
  auto local = direct_dialer(resolver);
  auto listener = listen(local_loop, "127.0.0.1", 0, false, [](auto) {});
  auto operation = local->dial(local_loop, {.host = "kas", .port = (*listener)->port()}, seconds(10),
                               [this](Dialled dialled) { result = std::move(dialled); });
  settle(local_loop);
  fake.advance(seconds(5));
  ASSERT_TRUE(run_until(local_loop, [&] { return result.has_value(); }));
  EXPECT_TRUE(result->has_value()) << result->error().to_string();
  result.reset();  // lives on local_loop
}

TEST_F(DialTest, DestroyingTheOperationCancelsIt) {
  auto listener = listen(loop, "127.0.0.1", 0, false, [](auto) {});
  for (const char* host : {"127.0.0.1", "localhost", "no-such-host.invalid"}) {
    auto operation = dial(*dialer, host, (*listener)->port());
    operation.reset();
    settle(loop);
    operation = dial(*dialer, host, (*listener)->port());
    loop.poll();
    const bool done = std::exchange(result, std::nullopt).has_value();
    operation.reset();
    settle(loop);
    EXPECT_FALSE(result.has_value()) << host << (done ? " was called twice" : " was called after the end");
  }
}

TEST_F(DialTest, MayBeDestroyedInItsCallback) {
  auto listener = listen(loop, "127.0.0.1", 0, false, [](auto) {});
  for (const std::uint16_t port : {(*listener)->port(), closed.port()}) {
    std::unique_ptr<Operation> operation;
    bool called = false;
    operation = dialer->dial(loop, {.host = "127.0.0.1", .port = port}, seconds(30), [&](Dialled) {
      called = true;
      operation.reset();
    });
    ASSERT_TRUE(run_until(loop, [&] { return called; }));
  }
}

TEST_F(DialTest, TheResolverMayGoBeforeItsThreads) {
  for (int i = 0; i < 20; ++i) {
    auto brief = system_resolver();
    auto operation = brief->resolve(loop, "no-such-host.invalid", 1, [](auto) { ADD_FAILURE(); });
  }
  settle(loop);
}

}  // namespace
}  // namespace towline::io
