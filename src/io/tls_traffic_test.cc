#include <gtest/gtest.h>

#include "io/pair.h"
#include "io/testing_tls.h"
#include "io/tls_context.h"
#include "io/tls_stream.h"

namespace towline::io {
namespace {

using testing::Ends;
using testing::exchange_traffic;
using testing::stall_and_resume;
using testing::tcp_pair;
using testing::tls_over;

class TlsTrafficTest : public ::testing::Test {
 protected:
  SystemClock clock;
  Loop loop{clock};
};

TEST_F(TlsTrafficTest, OverTcp) {
  Ends ends = tls_over(loop, tcp_pair(loop));
  EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, 50 << 20), "");
}

TEST_F(TlsTrafficTest, OverAPairThatCutsRecords) {
  for (const std::size_t capacity : {333, 5000, 64 * 1024}) {
    Ends ends = tls_over(loop, stream_pair(loop, capacity));
    EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, 1 << 20), "") << capacity;
  }
}

TEST_F(TlsTrafficTest, ASlowReaderHoldsTheWriterBack) {
  Ends ends = tls_over(loop, tcp_pair(loop));
  EXPECT_EQ(stall_and_resume(loop, *ends.first, *ends.second, 50 << 20), "");
  Ends small = tls_over(loop, stream_pair(loop, 1000));
  EXPECT_EQ(stall_and_resume(loop, *small.first, *small.second, 1 << 20), "");
}

// Either side may change its keys at any time (RFC 8446, section 4.6.3), here while the other is held back.
TEST_F(TlsTrafficTest, KeysAreChangedOnTheWay) {
  auto [a, b] = stream_pair(loop, 1000);
  const testing::TlsSetup setup;
  SslPtr ssl = static_cast<ClientContext&>(*setup.client()).connection("kas.example.com", {}).value();
  SSL* raw = ssl.get();
  SSL_set_connect_state(raw);
  TlsStream client(std::move(a), std::move(ssl), "server");
  std::unique_ptr<Stream> server;
  auto accepting = tls_accept(loop, std::move(b), setup.server(), std::chrono::seconds(30),
                              [&](Result<std::unique_ptr<Stream>> result) { server = std::move(*result); });
  Outcome outcome = client.handshake();
  ASSERT_TRUE(testing::run_until(loop, [&] {
    if (outcome == Outcome::kWouldBlock) outcome = client.handshake();
    return outcome == Outcome::kDone && server != nullptr;
  }));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(SSL_key_update(raw, SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(exchange_traffic(loop, client, *server, 50'000), "");
  }
}

TEST_F(TlsTrafficTest, TlsInsideTls) {
  Ends ends = tls_over(loop, tls_over(loop, tcp_pair(loop)));
  EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, 8 << 20), "");
}

}  // namespace
}  // namespace towline::io
