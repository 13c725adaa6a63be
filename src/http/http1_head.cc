#include "http/http1_head.h"

#include <algorithm>
#include <utility>

namespace towline::http {
namespace {

using Flaw = std::optional<HeadFlaw>;

Flaw flaw(int status, std::string message) { return HeadFlaw{status, std::move(message)}; }

bool is_alnum(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

std::size_t count(const Headers& headers, std::string_view name) {
  std::size_t n = 0;
  for (const auto field : headers) n += field.name == name ? 1 : 0;
  return n;
}

// The characters of host and port (RFC 3986, section 3.2.2). An empty authority is for the handler to judge.
bool is_authority(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return is_alnum(c) || std::string_view("-._~!$&'()*+,;=:[]%").find(c) != std::string_view::npos;
  });
}

Flaw check_framing(Http1Head& head, bool is_request) {
  const std::size_t lengths = count(head.headers, "content-length");
  const std::size_t codings = count(head.headers, "transfer-encoding");
  if (lengths > 0 && codings > 0) return flaw(400, "both Content-Length and Transfer-Encoding are given");
  if (is_request && lengths > 0 &&
      (lengths > 1 || head.headers.get("content-length")->find(',') != std::string_view::npos)) {
    return flaw(400, "Content-Length is given more than once");
  }
  if (codings == 0) return std::nullopt;
  if (codings > 1) return flaw(400, "Transfer-Encoding is given more than once");
  if (head.http10) return flaw(400, "Transfer-Encoding does not exist in HTTP/1.0");
  if (!equals_ignoring_case(*head.headers.get("transfer-encoding"), "chunked")) {
    return flaw(501, "the only supported Transfer-Encoding is chunked");
  }
  head.chunked = true;
  return std::nullopt;
}

bool starts_without_case(std::string_view text, std::string_view prefix) {
  return equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

// Brings an absolute-form target (RFC 9112, section 3.2.2) into origin form.
Flaw check_target(Http1Head& head) {
  std::string_view rest = head.target;
  if (rest.find('#') != std::string_view::npos) return flaw(400, "the request target has a fragment");
  if (rest.front() == '/') return std::nullopt;
  if (rest == "*") {
    return head.method == "OPTIONS" ? std::nullopt : flaw(400, "the target * is for OPTIONS only");
  }
  if (starts_without_case(rest, "http://")) {
    rest.remove_prefix(7);
  } else if (starts_without_case(rest, "https://")) {
    rest.remove_prefix(8);
  } else {
    return flaw(400, "the request target is neither a path nor an http URL");
  }
  const auto end = rest.find_first_of("/?");
  head.authority = rest.substr(0, end);
  if (head.authority.empty()) return flaw(400, "the request target has no host");
  std::string path = end == std::string_view::npos ? "" : std::string(rest.substr(end));
  if (path.empty() && head.method == "OPTIONS") {
    path = "*";
  } else if (path.empty() || path.front() == '?') {
    path.insert(0, 1, '/');
  }
  head.target = std::move(path);
  return std::nullopt;
}

Flaw check_host(Http1Head& head) {
  const std::size_t hosts = count(head.headers, "host");
  if (hosts > 1) return flaw(400, "Host is given more than once");
  if (hosts == 0 && !head.http10) return flaw(400, "Host is missing");
  const auto host = head.headers.get("host");
  if (host && !is_authority(*host)) return flaw(400, "Host is not a host name");
  if (head.authority.empty() && host) head.authority = *host;
  if (!is_authority(head.authority)) return flaw(400, "the request target's host is not a host name");
  return std::nullopt;
}

Flaw check_request(Http1Head& head) {
  if (head.method == "CONNECT") return flaw(501, "CONNECT is not supported");
  if (auto bad = check_framing(head, true)) return bad;
  if (auto bad = check_target(head)) return bad;
  if (auto bad = check_host(head)) return bad;
  const bool has_body = head.chunked || head.framed_length.value_or(0) > 0;
  if (!head.http10 && !has_body && head.headers.has_token("connection", "upgrade")) {
    head.upgrade = head.headers.get("upgrade").value_or("");
    // "curl --http2" offers this with any request; HTTP/2 is for ALPN and prior knowledge (RFC 9113, 3.1).
    if (equals_ignoring_case(head.upgrade, "h2c")) head.upgrade.clear();
  }
  head.keep_alive = !head.http10 && !head.headers.has_token("connection", "close");
  head.expects_continue = !head.http10 && has_body && head.headers.has_token("expect", "100-continue");
  return std::nullopt;
}

Flaw check_response(Http1Head& head) {
  if (auto bad = check_framing(head, false)) return bad;
  if (head.status == 101) head.upgrade = head.headers.get("upgrade").value_or("");
  head.keep_alive = !head.headers.has_token("connection", "close") &&
                    (!head.http10 || head.headers.has_token("connection", "keep-alive"));
  return std::nullopt;
}

}  // namespace

Flaw check_head(Http1Head& head, bool is_request) {
  return is_request ? check_request(head) : check_response(head);
}

RequestHead to_request(Http1Head& head) {
  RequestHead out;
  out.method = std::move(head.method);
  out.target = std::move(head.target);
  out.authority = std::move(head.authority);
  out.upgrade = std::move(head.upgrade);
  if (!head.chunked) out.content_length = head.framed_length.value_or(0);
  out.headers = std::move(head.headers);
  remove_hop_by_hop(out.headers);
  // The length is in the head and the expectation is met by this hop.
  for (const std::string_view name : {"host", "content-length", "expect"}) out.headers.remove(name);
  return out;
}

ResponseHead to_response(Http1Head& head) {
  ResponseHead out;
  out.status = head.status;
  out.upgrade = std::move(head.upgrade);
  out.content_length = head.framed_length;
  out.headers = std::move(head.headers);
  remove_hop_by_hop(out.headers);
  out.headers.remove("content-length");
  return out;
}

}  // namespace towline::http
