#include "io/websocket_frame.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace towline::io {
namespace {

std::vector<std::byte> encode(const FrameHeader& header) {
  std::vector<std::byte> bytes(kMaxFrameHeader);
  bytes.resize(encode_frame_header(header, bytes.data()));
  return bytes;
}

FrameHeaderParser::Parsed parse(const std::vector<std::uint8_t>& bytes) {
  FrameHeaderParser parser;
  EXPECT_EQ(parser.take(std::as_bytes(std::span(bytes))), bytes.size());
  EXPECT_TRUE(parser.complete());
  return parser.finish();
}

TEST(WebSocketFrame, HeadersRoundTripInAnyPieces) {
  for (const std::uint64_t length : {0ULL, 1ULL, 125ULL, 126ULL, 65535ULL, 65536ULL, 1ULL << 40U}) {
    for (const bool masked : {false, true}) {
      const FrameHeader header{.fin = masked,
                               .opcode = masked ? Opcode::kContinuation : Opcode::kBinary,
                               .masked = masked,
                               .length = length,
                               .mask = masked ? random_mask() : MaskKey{}};
      const auto bytes = encode(header);
      FrameHeaderParser parser;
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        EXPECT_FALSE(parser.complete());
        EXPECT_EQ(parser.take(std::span(bytes).subspan(i, 1)), 1U);
      }
      ASSERT_TRUE(parser.complete());
      const auto parsed = parser.finish();
      EXPECT_EQ(parsed.error, nullptr);
      EXPECT_EQ(parsed.header.fin, header.fin);
      EXPECT_EQ(parsed.header.opcode, header.opcode);
      EXPECT_EQ(parsed.header.masked, header.masked);
      EXPECT_EQ(parsed.header.length, header.length);
      EXPECT_EQ(parsed.header.mask, header.mask);
      EXPECT_FALSE(parser.begun());
    }
  }
}

TEST(WebSocketFrame, RefusesWhatTheProtocolForbids) {
  EXPECT_STREQ(parse({0xc2, 0}).error, "reserved bits are set");
  EXPECT_STREQ(parse({0x83, 0}).error, "unknown opcode");
  EXPECT_STREQ(parse({0x8b, 0}).error, "unknown opcode");
  EXPECT_STREQ(parse({0x09, 0}).error, "a control frame is fragmented");
  EXPECT_STREQ(parse({0x89, 126, 0, 126}).error, "a control frame is longer than 125 bytes");
  EXPECT_STREQ(parse({0x82, 126, 0, 125}).error, "the length of a frame is not in its shortest form");
  EXPECT_STREQ(parse({0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}).error,
               "the length of a frame is not in its shortest form");
  EXPECT_STREQ(parse({0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}).error, "the length of a frame is negative");
}

TEST(WebSocketFrame, MasksLikeTheDefinition) {
  const MaskKey key = random_mask();
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t offset = 0; offset < 5; ++offset) {
      std::vector<std::byte> in(size);
      std::vector<std::byte> expected(size);
      std::vector<std::byte> out(size);
      for (std::size_t i = 0; i < size; ++i) {
        in[i] = std::byte(static_cast<std::uint8_t>(i * 37));
        expected[i] = in[i] ^ key[(offset + i) % 4];
      }
      apply_mask(key, offset, in.data(), out.data(), size);
      EXPECT_EQ(out, expected);
      for (std::size_t shift = 0; shift < 15; ++shift) {  // over itself, moved to the front
        std::vector<std::byte> both(size + shift);
        if (size > 0) std::memcpy(both.data() + shift, in.data(), size);
        apply_mask(key, offset, both.data() + shift, both.data(), size);
        both.resize(size);
        EXPECT_EQ(both, expected) << shift;
      }
    }
  }
}

TEST(WebSocketFrame, KnowsTheCodesOfCloseFrames) {
  EXPECT_EQ(close_code(""), 1005);
  EXPECT_EQ(close_code("\x03"), std::nullopt);
  EXPECT_EQ(close_code(encode_close_payload(1000) + "bye"), 1000);
  EXPECT_EQ(close_code(encode_close_payload(4999)), 4999);
  for (const std::uint16_t code : {0, 999, 1004, 1005, 1006, 1015, 5000, 65535}) {
    EXPECT_EQ(close_code(encode_close_payload(code)), std::nullopt) << code;
  }
}

}  // namespace
}  // namespace towline::io
