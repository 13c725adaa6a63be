#include "io/listen.h"

#include <atomic>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/connect.h"
#include "io/testing.h"

namespace towline::io {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::run_until;

class ListenTest : public ::testing::Test {
 protected:
  std::unique_ptr<Operation> connect(std::uint16_t port, const std::string& ip = "127.0.0.1") {
    return tcp_connect(loop, {ip, port}, [this](Result<std::unique_ptr<Stream>> result) {
      if (result) connected.push_back(std::move(*result));
    });
  }

  SystemClock clock;
  Loop loop{clock};
  std::vector<std::unique_ptr<Stream>> accepted;
  std::vector<std::unique_ptr<Stream>> connected;
  Listener::Callback keep = [this](std::unique_ptr<Stream> stream) { accepted.push_back(std::move(stream)); };
};

TEST_F(ListenTest, SaysWhereItListens) {
  auto listener = listen(loop, "127.0.0.1", 0, false, std::move(keep));
  ASSERT_TRUE(listener.has_value()) << listener.error().to_string();
  EXPECT_NE((*listener)->port(), 0);
  EXPECT_EQ((*listener)->address(), "127.0.0.1:" + std::to_string((*listener)->port()));
}

TEST_F(ListenTest, TakesConnectionsThatComeAtOnce) {
  auto listener = listen(loop, "127.0.0.1", 0, false, std::move(keep));
  std::vector<std::unique_ptr<Operation>> operations;
  for (int i = 0; i < 100; ++i) operations.push_back(connect((*listener)->port()));
  EXPECT_TRUE(run_until(loop, [&] { return accepted.size() == 100 && connected.size() == 100; }));
}

TEST_F(ListenTest, AnEmptyHostListensForBothFamilies) {
  auto listener = listen(loop, "", 0, false, std::move(keep));
  ASSERT_TRUE(listener.has_value()) << listener.error().to_string();
  auto four = connect((*listener)->port());
  ASSERT_TRUE(run_until(loop, [&] { return accepted.size() == 1; }));
  EXPECT_THAT(accepted[0]->peer(), ::testing::StartsWith("127.0.0.1:"));
}

TEST_F(ListenTest, ListensOnIpv6) {
  auto listener = listen(loop, "::1", 0, false, std::move(keep));
  if (!listener) GTEST_SKIP() << listener.error().message();
  EXPECT_THAT((*listener)->address(), ::testing::StartsWith("[::1]:"));
  auto six = connect((*listener)->port(), "::1");
  ASSERT_TRUE(run_until(loop, [&] { return accepted.size() == 1; }));
}

TEST_F(ListenTest, ErrorsNameTheAddress) {
  auto first = listen(loop, "127.0.0.1", 0, false, std::move(keep));
  const auto second = listen(loop, "127.0.0.1", (*first)->port(), false, [](auto) {});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().message(), "listen on " + (*first)->address() + ": Address already in use");
  const auto name = listen(loop, "localhost", 0, false, [](auto) {});
  ASSERT_FALSE(name.has_value());
  EXPECT_THAT(name.error().message(), HasSubstr("not an IP address"));
}

TEST_F(ListenTest, LoopsShareAPort) {
  auto first = listen(loop, "127.0.0.1", 0, true, std::move(keep));
  ASSERT_TRUE(first.has_value());
  auto second = listen(loop, "127.0.0.1", (*first)->port(), true,
                       [this](std::unique_ptr<Stream> stream) { accepted.push_back(std::move(stream)); });
  ASSERT_TRUE(second.has_value()) << second.error().to_string();
  std::vector<std::unique_ptr<Operation>> operations;
  for (int i = 0; i < 20; ++i) operations.push_back(connect((*first)->port()));
  EXPECT_TRUE(run_until(loop, [&] { return accepted.size() == 20; }));
}

TEST_F(ListenTest, MayBeDestroyedInItsCallback) {
  std::unique_ptr<Listener> listener;
  int count = 0;
  listener = std::move(listen(loop, "127.0.0.1", 0, false, [&](auto) {
                         ++count;
                         listener.reset();
                       }).value());
  const std::uint16_t port = listener->port();
  auto a = connect(port);
  auto b = connect(port);
  EXPECT_TRUE(run_until(loop, [&] { return listener == nullptr; }));
  EXPECT_EQ(count, 1);
}

TEST_F(ListenTest, PausesWhileDescriptorsAreOut) {
  auto listener = listen(loop, "127.0.0.1", 0, false, std::move(keep));
  // UBSan takes its first look at a class through a pipe, so all that works without descriptors has worked
  // with them before: connections, and the timer of the pause.
  auto early = connect((*listener)->port());
  bool expired = false;
  Timer timer(loop, [&] { expired = true; });
  timer.start(std::chrono::milliseconds(1));
  ASSERT_TRUE(run_until(loop, [&] { return accepted.size() == 1 && connected.size() == 1 && expired; }));

  auto late = connect((*listener)->port());  // its descriptor exists from here on
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  EXPECT_TRUE(run_until(loop, [&] { return connected.size() == 2; }));
  testing::settle(loop);
  EXPECT_EQ(accepted.size(), 1U);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(run_until(loop, [&] { return accepted.size() == 2; }));
}

}  // namespace
}  // namespace towline::io
