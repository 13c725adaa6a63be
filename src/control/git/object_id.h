#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace towline::control::git {

/// The id of a commit, tree, blob or tag: what a name pointed to when it was looked up. A type of its own, so
/// that what the server has found out can never be looked up as somebody's branch or tag of that name.
struct ObjectId {
  std::array<std::uint8_t, 20> bytes{};  // all zero: no object

  /// Of exactly 40 hexadecimal digits, in any case.
  static std::optional<ObjectId> parse(std::string_view text);
  /// 40 hexadecimal digits in small letters.
  std::string to_text() const;
  bool is_null() const { return *this == ObjectId{}; }

  friend auto operator<=>(const ObjectId&, const ObjectId&) = default;
};

/// For unordered containers.
struct ObjectIdHash {
  std::size_t operator()(const ObjectId& id) const {
    std::size_t hash = 0;  // an id is a hash
    std::memcpy(&hash, id.bytes.data(), sizeof hash);
    return hash;
  }
};

}  // namespace towline::control::git
