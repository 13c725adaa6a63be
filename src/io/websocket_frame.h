#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// WebSocket frames as bytes (RFC 6455, section 5). wslay's frame functions are not used: each of their
/// contexts holds a 4 KiB buffer for as long as the connection lives, through which all payload is copied,
/// and they send header and payload in separate calls.
namespace towline::io {

enum class Opcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

using MaskKey = std::array<std::byte, 4>;

struct FrameHeader {
  bool fin = true;
  Opcode opcode = Opcode::kBinary;
  bool masked = false;
  std::uint64_t length = 0;
  MaskKey mask{};

  bool control() const { return static_cast<std::uint8_t>(opcode) >= 8; }
};

/// The longest header: two bytes, an eight-byte length, the mask.
inline constexpr std::size_t kMaxFrameHeader = 14;
/// The longest payload of a control frame.
inline constexpr std::size_t kMaxControlPayload = 125;

/// Collects a frame header that arrives in any pieces.
class FrameHeaderParser {
 public:
  /// Takes bytes from the front of `bytes` until the header is complete; returns how many.
  std::size_t take(std::span<const std::byte> bytes);
  bool complete() const { return size_ == needed(); }
  /// Whether some but not all bytes of a header are here.
  bool begun() const { return size_ > 0; }

  /// Reads the complete header and gets ready for the next. An error is what the peer did wrong.
  struct Parsed {
    FrameHeader header;
    const char* error = nullptr;
  };
  Parsed finish();

 private:
  std::size_t needed() const;

  std::array<std::byte, kMaxFrameHeader> bytes_;
  std::size_t size_ = 0;
};

/// Writes `header` to `out`, which has room for kMaxFrameHeader bytes; returns its size.
std::size_t encode_frame_header(const FrameHeader& header, std::byte* out);

/// Applies the mask to `size` bytes from `in`, which stand `offset` bytes into the payload, and writes them
/// to `out`. `out` may be `in`, or lie before it and overlap.
void apply_mask(const MaskKey& key, std::uint64_t offset, const std::byte* in, std::byte* out,
                std::size_t size);

/// A fresh unpredictable mask.
MaskKey random_mask();

/// A whole control frame.
std::string encode_control_frame(Opcode opcode, std::string_view payload, bool masked);

/// The payload of a close frame (section 5.5.1); without a code it is empty.
std::string encode_close_payload(std::uint16_t code);
/// The code of a close frame; 1005 when it carries none, nothing when it is malformed.
std::optional<std::uint16_t> close_code(std::string_view payload);

}  // namespace towline::io
