#include "http/strict_transport.h"

#include <gtest/gtest.h>

namespace towline::http {
namespace {

TEST(StrictTransport, IsAskedForWhereAllThatIsBehindTheNameIsOurs) {
  EXPECT_TRUE(strict_transport("https://towline.example.com:8443/x").has_value());
  for (const char* other : {"", "http://towline.example.com", "https://localhost:8443", "https://a.localhost",
                            "https://192.0.2.1", "https://[::1]:8443"}) {
    EXPECT_FALSE(strict_transport(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace towline::http
