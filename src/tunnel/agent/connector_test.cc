#include "tunnel/agent/connector.h"

#include <gtest/gtest.h>

#include "io/loop.h"
#include "io/pair.h"

namespace towline::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Connects at once; the other ends lie here.
class CountingDialer final : public io::Dialer {
 public:
  std::unique_ptr<io::Operation> dial(io::Loop& loop, io::DialTarget, milliseconds,
                                      io::StreamCallback callback) override {
    auto [here, there] = io::stream_pair(loop);
    servers.push_back(std::move(there));
    loop.post([callback = std::move(callback), stream = std::move(here)]() mutable {
      callback(std::move(stream));
    });
    return std::make_unique<io::Operation>();
  }
  std::vector<std::unique_ptr<io::Stream>> servers;
};

class QuietSession final : public Session {
 public:
  void drain(std::move_only_function<void()> drained) override { drained(); }
};

class ConnectorTest : public ::testing::Test {
 protected:
  ConnectorTest() {
    ConnectorOptions options;
    options.address = parse_server_address("grpc://kas.example.com").value();
    options.token = [] { return Secret("t"); };
    connector = Connector::start(
        loop, dialer, std::move(options), [](grpc::Channel&) { return std::make_unique<QuietSession>(); },
        Logger());
  }
  FakeClock clock;
  io::Loop loop{clock};
  CountingDialer dialer;
  std::unique_ptr<Connector> connector;
};

TEST_F(ConnectorTest, AServerThatDropsConnectionsAtOnceIsAskedLessAndLess) {
  int attempts = 0;
  for (int minute = 0; minute < 5; ++minute) {
    const Clock::TimePoint end = clock.now() + seconds(60);
    attempts = 0;
    while (clock.now() < end) {
      for (int i = 0; i < 5; ++i) loop.poll();
      attempts += static_cast<int>(dialer.servers.size());
      dialer.servers.clear();
      clock.advance(milliseconds(50));
    }
  }
  EXPECT_LE(attempts, 9) << "in the fifth minute";
  EXPECT_GE(attempts, 3);
}

TEST_F(ConnectorTest, AConnectionThatHasLastedIsReplacedQuickly) {
  for (int i = 0; i < 5; ++i) loop.poll();
  ASSERT_TRUE(connector->connected());
  for (int cut = 0; cut < 30; ++cut) {
    clock.advance(seconds(15));
    dialer.servers.clear();
    for (int i = 0; i < 5; ++i) loop.poll();
    EXPECT_FALSE(connector->connected());
    clock.advance(milliseconds(250));
    for (int i = 0; i < 5; ++i) loop.poll();
    ASSERT_TRUE(connector->connected()) << "after " << cut << " cuts";
  }
}

}  // namespace
}  // namespace towline::tunnel
