#include "modules/kubernetes_api/server/answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "http/fields.h"
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

namespace grpctool = ::gitlab::agent::grpctool;

// Fields by which a server speaks for its whole origin, which is this server's and not the cluster's; and
// Trailer, since trailers are not passed on.
bool is_left_out(std::string_view name) {
  static constexpr std::array<std::string_view, 15> kNames = {"set-cookie",
                                                              "set-cookie2",
                                                              "clear-site-data",
                                                              "strict-transport-security",
                                                              "alt-svc",
                                                              "nel",
                                                              "report-to",
                                                              "reporting-endpoints",
                                                              "public-key-pins",
                                                              "expect-ct",
                                                              "origin-agent-cluster",
                                                              "service-worker-allowed",
                                                              "proxy-authenticate",
                                                              "trailer",
                                                              "public-key-pins-report-only"};
  return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("access-control-") ||
         name.starts_with("x-forwarded-");
}

bool is_redirect(int status) {
  return status == 201 || (status >= 301 && status <= 303) || status == 307 || status == 308;
}

// "Refresh: 5; url=/path".
std::string refresh_with_prefix(std::string_view value, std::string_view prefix) {
  const auto equals = value.find('=');
  if (equals == std::string_view::npos) return std::string(value);
  std::size_t at = value.find_first_not_of(" \t\"'", equals + 1);
  if (at == std::string_view::npos) at = value.size();
  return std::string(value.substr(0, at)) + with_prefix(value.substr(at), prefix);
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > INT64_MAX) return std::nullopt;
  return length;
}

std::unexpected<Status> malformed(std::string what) {
  return fail(Code::kUnavailable, "the agent sent a malformed answer: " + std::move(what));
}

Status take_length(http::ResponseHead& head) {
  std::optional<std::string_view> first;
  for (const auto& [name, value] : head.headers) {
    if (name != "content-length") continue;
    if (first && *first != value) return malformed("two lengths").error();
    first = value;
  }
  if (!first) return {};
  head.content_length = parse_length(*first);
  if (!head.content_length) return malformed("a Content-Length that is no number").error();
  head.headers.remove("content-length");
  return {};
}

Status copy_headers(const grpctool::HttpResponse& message, std::string_view prefix,
                    http::ResponseHead& head) {
  const bool redirect = is_redirect(head.status);
  std::string name;
  for (const auto& [raw, values] : message.header().response().header()) {
    name.clear();
    for (const char c : raw) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (is_left_out(name)) continue;
    const bool location = name == "content-location" || (redirect && name == "location");
    for (const std::string& value : values.value()) {
      if (!http::is_field(name, value)) return malformed("a header that HTTP does not allow").error();
      if (location) {
        head.headers.add(name, with_prefix(value, prefix));
      } else if (name == "refresh") {
        head.headers.add(name, refresh_with_prefix(value, prefix));
      } else {
        head.headers.add(name, value);
      }
    }
  }
  return {};
}

}  // namespace

std::string with_prefix(std::string_view location, std::string_view prefix) {
  const bool rooted = location.starts_with('/') && !location.starts_with("//");
  return rooted ? std::string(prefix).append(location) : std::string(location);
}

Result<http::ResponseHead> read_answer(std::string_view message, const AnswerContext& context) {
  HeaderArena arena;
  auto& answer = arena.make<grpctool::HttpResponse>();
  if (!answer.ParseFromArray(message.data(), static_cast<int>(message.size())))
    return malformed("no protobuf");
  http::ResponseHead head;
  head.status = answer.header().response().status_code();
  const bool switched = head.status == 101 && !context.upgrade.empty();
  if (!switched && (head.status < 200 || head.status > 599)) {
    return malformed("the impossible status " + std::to_string(head.status));
  }
  if (Status status = copy_headers(answer, context.prefix, head); !status.ok())
    return fail(std::move(status));
  if (switched) head.upgrade = std::string(head.headers.get("upgrade").value_or(context.upgrade));
  http::remove_hop_by_hop(head.headers);
  if (Status status = take_length(head); !status.ok()) return fail(std::move(status));
  if (switched) return head;
  // Nothing that a cluster says may act as this server's own page.
  head.headers.add("content-security-policy", "sandbox");
  head.headers.set("x-content-type-options", "nosniff");
  // Watches and logs: reverse proxies would hold them back until their buffers are full.
  if (!head.content_length && head.status == 200) head.headers.set("x-accel-buffering", "no");
  return head;
}

}  // namespace towline::kubernetes_api
