#include "http/fields.h"

#include <algorithm>
#include <array>
#include <utility>

namespace towline::http {
namespace {

constexpr bool is_token_char(unsigned char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = c != 0 && is_token_char(static_cast<unsigned char>(c));
  return table;
}

constexpr std::array<bool, 256> kTokenChars = make_token_table();

bool is_blank(char c) { return c == ' ' || c == '\t'; }

Status bad(std::string what) { return Status(Code::kInvalidArgument, std::move(what)); }

Status check(const Headers& headers, std::size_t other, std::size_t limit) {
  for (const auto field : headers) {
    if (!is_token(field.name)) return bad("a header field has a bad name");
    if (!is_field_value(field.value)) {
      return bad("the header field " + std::string(field.name) + " has a line break or another control");
    }
  }
  const std::size_t size = headers.bytes() + other;
  if (size <= limit) return {};
  return Status(Code::kResourceExhausted, "the head is too large: " + std::to_string(size) +
                                              " bytes, where " + std::to_string(limit) + " are allowed");
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
  bool wrong = false;  // without leaving early, several bytes are looked at together
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    wrong |= (byte < 0x20) & (byte != '\t');
    wrong |= byte == 0x7f;
  }
  return !wrong;
}

bool is_field(std::string_view name, std::string_view value) {
  return is_token(name) && is_field_value(value);
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_target(std::string_view target) {
  return std::ranges::none_of(target, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f;
  });
}

std::string encode_target(std::string_view target) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char& c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_target({&c, 1})) {
      out += c;
    } else {
      out.append(1, '%').append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return out;
}

Status check_to_send(const RequestHead& head, std::size_t limit) {
  if (!is_token(head.method)) return bad("the method is none");
  if (!is_field_value(head.authority)) return bad("the host has a control character");
  if (!is_field_value(head.upgrade)) return bad("the protocol to upgrade to has a control character");
  return check(head.headers, head.method.size() + head.target.size() + head.authority.size(), limit);
}

Status check_to_send(const ResponseHead& head, std::size_t limit) {
  if (head.status != 101 && (head.status < 200 || head.status > 599)) {
    return bad("the status " + std::to_string(head.status) + " is none of a response");
  }
  if (!is_field_value(head.upgrade)) return bad("the protocol to upgrade to has a control character");
  return check(head.headers, 0, limit);
}

}  // namespace towline::http
