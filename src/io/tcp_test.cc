#include "io/tcp.h"

#include <sys/socket.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/testing.h"

namespace towline::io {
namespace {

using testing::Ends;
using ::testing::HasSubstr;
using testing::Reader;
using testing::run_until;
using testing::settle;
using testing::tcp_pair;
using testing::write_text;

class TcpTest : public ::testing::Test {
 protected:
  SystemClock clock;
  Loop loop{clock};
};

TEST_F(TcpTest, CarriesBytesAndHalfCloses) {
  Ends ends = tcp_pair(loop);
  Reader server(*ends.second);
  EXPECT_EQ(write_text(*ends.first, "ping").bytes, 4U);
  ends.first->shutdown_write();
  ASSERT_TRUE(run_until(loop, [&] { return server.ended; }));
  EXPECT_EQ(server.text, "ping");

  Reader client(*ends.first);
  write_text(*ends.second, "pong");
  ASSERT_TRUE(run_until(loop, [&] { return client.text == "pong"; }));
  EXPECT_FALSE(client.ended);
  ends.second.reset();
  ASSERT_TRUE(run_until(loop, [&] { return client.ended; }));
}

TEST_F(TcpTest, NamesThePeer) {
  Ends ends = tcp_pair(loop);
  EXPECT_THAT(ends.first->peer(), HasSubstr("127.0.0.1:"));
  EXPECT_FALSE(ends.first->secure());
  EXPECT_EQ(ends.first->alpn(), "");
}

TEST_F(TcpTest, ReportsReadinessOnceAndOnlyWhenAskedFor) {
  Ends ends = tcp_pair(loop);
  struct Counter final : StreamHandler {
    void on_readable() override { ++readable; }
    void on_writable() override { ++writable; }
    int readable = 0;
    int writable = 0;
  } counter;
  ends.second->set_handler(&counter);
  write_text(*ends.first, "a");
  settle(loop);
  EXPECT_EQ(counter.readable, 0);

  std::byte buffer[10];
  ASSERT_TRUE(run_until(loop, [&] { return ends.second->read(buffer).outcome == Outcome::kDone; }));
  EXPECT_EQ(ends.second->read(buffer).outcome, Outcome::kWouldBlock);
  EXPECT_EQ(ends.second->read(buffer).outcome, Outcome::kWouldBlock);
  write_text(*ends.first, "b");
  ASSERT_TRUE(run_until(loop, [&] { return counter.readable > 0; }));
  write_text(*ends.first, "c");
  settle(loop);
  EXPECT_EQ(counter.readable, 1);
  EXPECT_EQ(counter.writable, 0);
}

TEST_F(TcpTest, MovesBytesInOrderBothWays) {
  Ends ends = tcp_pair(loop);
  EXPECT_EQ(testing::exchange_traffic(loop, *ends.first, *ends.second, 50 << 20), "");
}

TEST_F(TcpTest, ASlowReaderHoldsTheWriterBack) {
  Ends ends = tcp_pair(loop);
  EXPECT_EQ(testing::stall_and_resume(loop, *ends.first, *ends.second, 50 << 20), "");
}

TEST_F(TcpTest, KnowsOfItsPeerWithoutReading) {
  Ends ends = tcp_pair(loop);
  EXPECT_FALSE(ends.first->peer_state()->ended);
  write_text(*ends.second, "unread");
  ends.second->shutdown_write();
  ASSERT_TRUE(run_until(loop, [&] { return ends.first->peer_state()->ended; }));
  EXPECT_FALSE(ends.first->peer_state()->lost);
  write_text(*ends.first, "bytes that nobody reads: closing with them resets");
  settle(loop);
  ends.second.reset();
  ASSERT_TRUE(run_until(loop, [&] { return ends.first->peer_state()->lost; }));
}

TEST_F(TcpTest, APeerThatDoesNotReadIsNotSilent) {
  Ends ends = tcp_pair(loop);
  const std::string block(1024 * 1024, 'x');
  while (write_text(*ends.first, block).outcome == Outcome::kDone) {
  }
  ASSERT_TRUE(run_until(loop, [&] { return ends.first->peer_state()->silence.count() < 1000; }));
  EXPECT_FALSE(ends.first->peer_state()->lost);
}

TEST_F(TcpTest, ManyPiecesLeaveInOneCall) {
  Ends ends = tcp_pair(loop);
  std::string letters(3000, 'x');
  std::vector<iovec> pieces;
  for (char& letter : letters) pieces.push_back({&letter, 1});
  EXPECT_EQ(ends.first->write(pieces).bytes, 3000U);
  EXPECT_EQ(ends.first->write({}).outcome, Outcome::kDone);
  Reader server(*ends.second);
  ASSERT_TRUE(run_until(loop, [&] { return server.text.size() == 3000; }));
}

TEST_F(TcpTest, AVanishedPeerIsAnErrorThatNamesIt) {
  Ends ends = tcp_pair(loop);
  const std::string peer(ends.first->peer());
  write_text(*ends.first, "unread");
  settle(loop);
  ends.second.reset();  // resets the connection: bytes were unread
  Reader client(*ends.first);
  ASSERT_TRUE(run_until(loop, [&] { return client.failed; }));
  EXPECT_EQ(ends.first->error().code(), Code::kUnavailable);
  EXPECT_EQ(ends.first->error().message(), "connection with " + peer + ": Connection reset by peer");
  EXPECT_EQ(write_text(*ends.first, "x").outcome, Outcome::kError);
}

TEST_F(TcpTest, MayBeDestroyedInItsCallbacks) {
  struct Killer final : StreamHandler {
    explicit Killer(std::unique_ptr<Stream> s) : stream(std::move(s)) { stream->set_handler(this); }
    void on_readable() override { stream.reset(); }
    void on_writable() override { stream.reset(); }
    std::unique_ptr<Stream> stream;
  };
  {
    Ends ends = tcp_pair(loop);
    Killer killer(std::move(ends.second));
    std::byte buffer[10];
    EXPECT_EQ(killer.stream->read(buffer).outcome, Outcome::kWouldBlock);
    write_text(*ends.first, "x");
    ASSERT_TRUE(run_until(loop, [&] { return killer.stream == nullptr; }));
  }
  {
    Ends ends = tcp_pair(loop);
    Killer killer(std::move(ends.second));
    const std::string much(16 << 20, 'x');
    EXPECT_LT(write_text(*killer.stream, much).bytes, much.size());
    std::byte buffer[10];
    (void)killer.stream->read(buffer);
    Reader client(*ends.first);
    ASSERT_TRUE(run_until(loop, [&] {
      client.read();
      return killer.stream == nullptr;
    }));
  }
  settle(loop);
}

TEST_F(TcpTest, ALoopMayEndBeforeWaitsDo) {
  auto other = std::make_unique<Loop>(clock);
  Ends ends = tcp_pair(*other);
  std::byte buffer[10];
  EXPECT_EQ(ends.second->read(buffer).outcome, Outcome::kWouldBlock);
  ends.first.reset();
  ends.second.reset();
  other.reset();
}

TEST_F(TcpTest, AdoptsUnixSockets) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  auto a = adopt(loop, fds[0]);
  auto b = adopt(loop, fds[1]);
  EXPECT_EQ(a->peer(), "local");
  Reader reader(*b);
  write_text(*a, "x");
  ASSERT_TRUE(run_until(loop, [&] { return reader.text == "x"; }));
}

TEST_F(TcpTest, UnreadBytesComeFirst) {
  Ends ends = tcp_pair(loop);
  auto stream = unread(std::move(ends.second), "before ");
  write_text(*ends.first, "after");
  ends.first->shutdown_write();
  std::byte two[2];
  EXPECT_EQ(stream->read(two).bytes, 2U);
  Reader reader(*stream);
  ASSERT_TRUE(run_until(loop, [&] { return reader.ended; }));
  EXPECT_EQ(reader.text, "fore after");
}

}  // namespace
}  // namespace towline::io
