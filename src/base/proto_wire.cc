#include "base/proto_wire.h"

namespace towline {
namespace {

constexpr std::uint32_t kLengthDelimited = 2;

std::optional<std::uint64_t> take_varint(std::string_view& in) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

}  // namespace

std::optional<ProtoField> sole_field(std::string_view message) {
  const auto tag = take_varint(message);
  if (!tag || (*tag & 7) != kLengthDelimited || *tag >> 3 > 0xffff) return std::nullopt;
  const auto size = take_varint(message);
  if (!size || *size != message.size()) return std::nullopt;
  return ProtoField{static_cast<std::uint32_t>(*tag >> 3), message};
}

void ProtoPrefix::put_varint(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_[size_++] = static_cast<char>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  bytes_[size_++] = static_cast<char>(value);
}

ProtoPrefix ProtoPrefix::field(std::uint32_t number, std::size_t size) {
  ProtoPrefix prefix;
  prefix.put_varint(number << 3 | kLengthDelimited);
  prefix.put_varint(size);
  return prefix;
}

ProtoPrefix ProtoPrefix::nested(std::uint32_t outer, std::uint32_t inner, std::size_t size) {
  ProtoPrefix prefix;
  const std::size_t inner_size = varint_size(inner << 3 | kLengthDelimited) + varint_size(size) + size;
  prefix.put_varint(outer << 3 | kLengthDelimited);
  prefix.put_varint(inner_size);
  prefix.put_varint(inner << 3 | kLengthDelimited);
  prefix.put_varint(size);
  return prefix;
}

}  // namespace towline
