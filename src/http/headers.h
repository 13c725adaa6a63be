#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace towline::http {

/// The header fields of one message, in order. Names are kept in lower case, as HTTP/2 sends them. All text
/// lies in one block, so that a message costs two allocations however many fields it has. Views that it
/// returns are valid until it is changed.
class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  class Iterator {
   public:
    Iterator(const Headers* headers, std::size_t index) : headers_(headers), index_(index) {}
    Field operator*() const { return headers_->at(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const Headers* headers_;
    std::size_t index_;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields);

  /// Appends a field; a name may occur several times.
  void add(std::string_view name, std::string_view value);
  /// Replaces all fields of that name by one.
  void set(std::string_view name, std::string_view value);
  /// Removes all fields of that name and says whether there were any.
  bool remove(std::string_view name);

  /// The first value of `name` (lower case), if any.
  std::optional<std::string_view> get(std::string_view name) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  /// True when a comma-separated list in any field of that name holds `token`, compared without case.
  bool has_token(std::string_view name, std::string_view token) const;

  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  /// Bytes of all names and values.
  std::size_t bytes() const { return text_.size(); }
  Field at(std::size_t index) const;
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, fields_.size()}; }

 private:
  struct Entry {
    std::uint32_t name_at;
    std::uint32_t name_size;
    std::uint32_t value_size;  // the value follows the name
  };
  std::vector<Entry> fields_;
  std::string text_;
};

/// Compares ASCII text without case.
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// Removes the fields that concern one connection only (RFC 9110, section 7.6.1): Connection and what it
/// names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade.
void remove_hop_by_hop(Headers& headers);

/// "Content-Type" for "content-type", as Go's net/http writes names in maps.
std::string canonical_name(std::string_view name);

}  // namespace towline::http
