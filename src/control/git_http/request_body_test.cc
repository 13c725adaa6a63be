#include "control/git_http/request_body.h"

#include <array>

#include <gtest/gtest.h>
#include <zlib.h>

namespace towline::control::git_http {
namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

constexpr std::uint64_t kMiB = 1 << 20;

TEST(RequestBody, AFetchBeginsWithItsEnd) {
  RequestBody body({.limit = kMiB});
  body.add("0");
  EXPECT_EQ(body.unpack().value(), 1U);
  EXPECT_FALSE(body.begun());
  body.end();
  EXPECT_TRUE(body.begun());
  EXPECT_EQ(body.ready(), "0");
  body.take(1);
  EXPECT_TRUE(body.done());
}

TEST(RequestBody, APushBeginsWhenItsListIsThere) {
  RequestBody body({.pushes = true, .limit = kMiB});
  const std::string list = "000aabcdef0006xy0000";
  for (const char c : list.substr(0, list.size() - 1)) {
    body.add(std::string(1, c));
    ASSERT_TRUE(body.unpack().has_value());
    EXPECT_FALSE(body.begun());
  }
  body.add("0PACK");
  ASSERT_TRUE(body.unpack().has_value());
  EXPECT_TRUE(body.begun());
  EXPECT_EQ(body.ready(), list + "PACK");
}

TEST(RequestBody, ALongOneBeginsBeforeItsEndAndIsHeldNoFurther) {
  RequestBody body({.limit = kMiB});
  body.add(std::string(70'000, 'x'));
  EXPECT_EQ(body.unpack().value(), 70'000U);
  EXPECT_TRUE(body.begun());
  body.add(std::string(1000, 'x'));
  EXPECT_EQ(body.unpack().value(), 0U) << "the sender waits";
  body.take(70'000);
  EXPECT_EQ(body.unpack().value(), 1000U);
}

TEST(RequestBody, IsUnpackedAPieceAtATime) {
  const std::string text(10 * kMiB, 'a');
  RequestBody body({.compressed = true, .limit = 20 * kMiB});
  body.add(gzip(text));
  body.end();
  std::size_t total = 0;
  while (!body.done()) {
    ASSERT_TRUE(body.unpack().has_value());
    ASSERT_LT(body.ready().size(), 100'000U);
    total += body.ready().size();
    body.take(body.ready().size());
  }
  EXPECT_EQ(total, text.size());
}

TEST(RequestBody, LimitsAreOfWhatIsUnpacked) {
  RequestBody bomb({.compressed = true, .limit = kMiB});
  bomb.add(gzip(std::string(2 * kMiB, 'a')));
  Result<std::size_t> last = 0;
  while (last.has_value() && !bomb.done()) {
    last = bomb.unpack();
    bomb.take(bomb.ready().size());
  }
  EXPECT_EQ(last.error().code(), Code::kResourceExhausted);

  RequestBody list({.pushes = true, .limit = 100 * kMiB});
  last = 0;
  for (std::size_t i = 0; last.has_value() && i <= kMaxCommandList / 0x1000; ++i) {
    list.add("1000" + std::string(0x1000 - 4, 'x'));
    last = list.unpack();
    list.take(list.ready().size());
  }
  EXPECT_EQ(last.error().code(), Code::kResourceExhausted);
}

TEST(RequestBody, WhatDoesNotUnpackIsRefused) {
  RequestBody body({.compressed = true, .limit = kMiB});
  body.add("no gzip");
  EXPECT_EQ(body.unpack().error().code(), Code::kInvalidArgument);
  RequestBody more({.compressed = true, .limit = kMiB});
  more.add(gzip("x") + "y");
  EXPECT_EQ(more.unpack().error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace towline::control::git_http
