#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace towline {

/// A token, password or key. It has no output operator and no implicit conversion, so that it cannot slip
/// into a log line or an error; its memory is cleared when it is destroyed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
  Secret& operator=(const Secret& other) = default;
  Secret& operator=(Secret&& other) noexcept {
    wipe();
    value_ = std::move(other.value_);
    other.wipe();
    return *this;
  }
  ~Secret() { wipe(); }

  /// The value itself, for the place that sends or hashes it.
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  /// Compares in time that depends on the lengths only.
  bool equals(std::string_view other) const;

 private:
  void wipe();
  std::string value_;
};

/// Compares in time that depends on the lengths only.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace towline
