#include <gtest/gtest.h>

#include "io/pair.h"
#include "io/testing_tls.h"

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

TEST_F(TlsTrafficTest, TlsInsideTls) {
  Ends ends = tls_over(loop, tls_over(loop, tcp_pair(loop)));
  EXPECT_EQ(exchange_traffic(loop, *ends.first, *ends.second, 8 << 20), "");
}

}  // namespace
}  // namespace towline::io
