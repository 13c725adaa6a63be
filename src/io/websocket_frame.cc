#include "io/websocket_frame.h"

#include <algorithm>
#include <cstring>

#include "base/encoding.h"

namespace towline::io {
namespace {

constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kOpcode = 0x0f;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLength = 0x7f;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;

std::uint8_t to_int(std::byte b) { return std::to_integer<std::uint8_t>(b); }

std::size_t length_bytes(std::uint8_t length) {
  return length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
}

bool known(std::uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

// What a header breaks of section 5.2 and 5.5, whoever sends it.
const char* check(std::uint8_t first, std::uint8_t second, const FrameHeader& header) {
  const std::uint8_t length = second & kLength;
  if ((first & kReserved) != 0) return "reserved bits are set";
  if (!known(first & kOpcode)) return "unknown opcode";
  if (header.control() && !header.fin) return "a control frame is fragmented";
  if (header.control() && length > kMaxControlPayload) return "a control frame is longer than 125 bytes";
  if (header.length >> 63U != 0) return "the length of a frame is negative";
  const bool short_enough =
      (length == kLength16 && header.length < kLength16) || (length == kLength64 && header.length <= 0xffff);
  return short_enough ? "the length of a frame is not in its shortest form" : nullptr;
}

}  // namespace

std::size_t FrameHeaderParser::needed() const {
  if (size_ < 2) return 2;
  const std::uint8_t second = to_int(bytes_[1]);
  return 2 + length_bytes(second & kLength) + ((second & kMasked) != 0 ? 4 : 0);
}

std::size_t FrameHeaderParser::take(std::span<const std::byte> bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !complete()) {
    const std::size_t n = std::min(bytes.size() - taken, needed() - size_);
    std::memcpy(bytes_.data() + size_, bytes.data() + taken, n);
    size_ += n;
    taken += n;
  }
  return taken;
}

FrameHeaderParser::Parsed FrameHeaderParser::finish() {
  const std::uint8_t first = to_int(bytes_[0]);
  const std::uint8_t second = to_int(bytes_[1]);
  Parsed parsed;
  FrameHeader& header = parsed.header;
  header.fin = (first & kFin) != 0;
  header.opcode = static_cast<Opcode>(first & kOpcode);
  header.masked = (second & kMasked) != 0;
  const std::size_t extended = length_bytes(second & kLength);
  header.length = extended == 0 ? second & kLength : 0;
  for (std::size_t i = 0; i < extended; ++i) header.length = header.length << 8U | to_int(bytes_[2 + i]);
  if (header.masked)
    std::copy_n(bytes_.begin() + 2 + static_cast<std::ptrdiff_t>(extended), 4, header.mask.begin());
  parsed.error = check(first, second, header);
  size_ = 0;
  return parsed;
}

std::size_t encode_frame_header(const FrameHeader& header, std::byte* out) {
  const std::uint8_t mask = header.masked ? kMasked : 0;
  const std::uint8_t length = header.length > 0xffff       ? kLength64
                              : header.length >= kLength16 ? kLength16
                                                           : static_cast<std::uint8_t>(header.length);
  const std::size_t extended = length_bytes(length);
  out[0] = std::byte((header.fin ? kFin : 0) | static_cast<std::uint8_t>(header.opcode));
  out[1] = std::byte(mask | length);
  for (std::size_t i = 0; i < extended; ++i) {
    out[2 + i] = std::byte(static_cast<std::uint8_t>(header.length >> (8 * (extended - 1 - i))));
  }
  if (header.masked) std::ranges::copy(header.mask, out + 2 + extended);
  return 2 + extended + (header.masked ? 4 : 0);
}

void apply_mask(const MaskKey& key, std::uint64_t offset, const std::byte* in, std::byte* out,
                std::size_t size) {
  std::byte rotated[8];
  for (std::size_t i = 0; i < sizeof rotated; ++i) rotated[i] = key[(offset + i) % 4];
  std::uint64_t wide = 0;
  std::memcpy(&wide, rotated, sizeof wide);
  std::size_t i = 0;
  for (; i + sizeof wide <= size; i += sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, in + i, sizeof word);
    word ^= wide;
    std::memcpy(out + i, &word, sizeof word);
  }
  for (; i < size; ++i) out[i] = in[i] ^ rotated[i % sizeof rotated];
}

MaskKey random_mask() {
  // Asking OpenSSL for four bytes costs as much as for a thousand.
  static constexpr std::size_t kPool = 1024;
  thread_local std::string pool;
  thread_local std::size_t used = kPool;
  if (used == kPool) {
    pool = random_bytes(kPool);
    used = 0;
  }
  MaskKey key;
  std::memcpy(key.data(), pool.data() + used, key.size());
  used += key.size();
  return key;
}

std::string encode_control_frame(Opcode opcode, std::string_view payload, bool masked) {
  const FrameHeader header{.opcode = opcode,
                           .masked = masked,
                           .length = payload.size(),
                           .mask = masked ? random_mask() : MaskKey{}};
  std::string frame(kMaxFrameHeader + payload.size(), '\0');
  auto* out = reinterpret_cast<std::byte*>(frame.data());
  const std::size_t size = encode_frame_header(header, out);
  apply_mask(header.mask, 0, reinterpret_cast<const std::byte*>(payload.data()), out + size, payload.size());
  frame.resize(size + payload.size());
  return frame;
}

std::string encode_close_payload(std::uint16_t code) {
  return {static_cast<char>(code >> 8U), static_cast<char>(code & 0xffU)};
}

std::optional<std::uint16_t> close_code(std::string_view payload) {
  static constexpr std::uint16_t kNoCode = 1005;
  if (payload.empty()) return kNoCode;
  if (payload.size() == 1) return std::nullopt;
  const auto code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8U |
                                               static_cast<unsigned char>(payload[1]));
  // 1004 to 1006 and 1015 are never sent (section 7.4.1).
  const bool sendable = code >= 1000 && code < 5000 && (code < 1004 || code > 1006) && code != 1015;
  return sendable ? std::optional(code) : std::nullopt;
}

}  // namespace towline::io
