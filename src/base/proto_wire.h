#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace towline {

// The few bytes of protobuf's encoding (https://protobuf.dev/programming-guides/encoding/) that the hot path
// needs, where a message is a single length-delimited field and its contents are passed on without a copy.

/// A length-delimited field: its number and its contents.
struct ProtoField {
  std::uint32_t number = 0;
  std::string_view value;
};

/// The field that makes up all of `message`, or nothing: then it has several fields, or another type, or is
/// malformed, and the caller parses it in full.
std::optional<ProtoField> sole_field(std::string_view message);

/// The bytes that go before a value of `size` bytes to make it a field, nested in further fields of a message
/// each.
class ProtoPrefix {
 public:
  /// `outer` field holding a message whose field `inner` holds `size` bytes: {outer: {inner: value}}.
  static ProtoPrefix nested(std::uint32_t outer, std::uint32_t inner, std::size_t size);
  /// {number: value}.
  static ProtoPrefix field(std::uint32_t number, std::size_t size);

  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_.data(), size_)); }
  std::string_view text() const { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }

 private:
  void put_varint(std::uint64_t value);
  std::array<char, 24> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace towline
