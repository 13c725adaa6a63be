#include <string>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"
#include "http/simple.h"

namespace towline::http {
namespace {

using std::string_literals::operator""s;

struct Case {
  const char* name;
  std::string bytes;
  int status;
};

const std::string kStart = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string kChunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string many_fields(int n) {
  std::string all = kStart;
  for (int i = 0; i < n; ++i) all += "a" + std::to_string(i) + ": b\r\n";
  return all + "\r\n";
}

std::string many_tiny_chunks() {
  std::string all = kChunked;
  for (int i = 0; i < 1000; ++i) all += "1;" + std::string(100, 'x') + "\r\na\r\n";
  return all;
}

const Case kRefused[] = {
    {"length and chunks", kStart + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"chunks and length", kStart + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {"length and another coding", kStart + "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", 400},
    {"two lengths", kStart + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
    {"the same length twice", kStart + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    {"length list", kStart + "Content-Length: 1, 1\r\n\r\n", 400},
    {"signed length", kStart + "Content-Length: +1\r\n\r\n", 400},
    {"negative length", kStart + "Content-Length: -1\r\n\r\n", 400},
    {"hex length", kStart + "Content-Length: 0x1\r\n\r\n", 400},
    {"empty length", kStart + "Content-Length:\r\n\r\n", 400},
    {"huge length", kStart + "Content-Length: 18446744073709551616\r\n\r\n", 400},
    {"gzip coding", kStart + "Transfer-Encoding: gzip\r\n\r\n", 501},
    {"gzip and chunked", kStart + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"identity", kStart + "Transfer-Encoding: identity\r\n\r\n", 501},
    {"quoted chunked", kStart + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
    {"chunked with vertical tab", kStart + "Transfer-Encoding: \vchunked\r\n\r\n", 400},
    {"chunked twice", kStart + "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
    {"two codings", kStart + "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"folded field", kStart + "a: b\r\n c\r\n\r\n", 400},
    {"folded empty field", kStart + "a:\r\n\tb\r\n\r\n", 400},
    {"folded with nothing", kStart + "a: b\r\n \r\n\r\n", 400},
    {"folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"bare LF", "GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400},
    {"bare LF between fields", kStart + "a: b\nc: d\r\n\r\n", 400},
    {"bare CR in a value", kStart + "a: b\rc\r\n\r\n", 400},
    {"NUL in a value", kStart + "a: b\0c\r\n\r\n"s, 400},
    {"control in a value", kStart + "a: b\x01\r\n\r\n", 400},
    {"DEL in a value", kStart + "a: \x7f\r\n\r\n", 400},
    {"space before the colon", kStart + "a : b\r\n\r\n", 400},
    {"tab before the colon", kStart + "Transfer-Encoding\t: chunked\r\n\r\n", 400},
    {"no colon", kStart + "abc\r\n\r\n", 400},
    {"empty name", kStart + ": b\r\n\r\n", 400},
    {"bad name", kStart + "a(b): c\r\n\r\n", 400},
    {"no Host", "GET / HTTP/1.1\r\na: b\r\n\r\n", 400},
    {"two Hosts", kStart + "Host: b\r\n\r\n", 400},
    {"the same Host twice", kStart + "Host: a\r\n\r\n", 400},
    {"bad Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"Host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501},
    {"bad method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"empty method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"no host in the target", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"user in the target", "GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"asterisk", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"HTTP/0.9", "GET /\r\n\r\n", 400},
    {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"HTTP/3.1", "GET / HTTP/3.1\r\nHost: a\r\n\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400},
    {"bad version", "GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
    {"bad version name", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s, 400},
    {"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"large field", kStart + "a: " + std::string(1'070'000, 'b') + "\r\n\r\n", 431},
    {"large head",
     kStart + "a: " + std::string(600'000, 'b') + "\r\nb: " + std::string(600'000, 'b') + "\r\n\r\n", 431},
    {"long target", "GET /" + std::string(1'070'000, 'b') + " HTTP/1.1\r\n\r\n", 431},
    {"many fields", many_fields(1100), 431},
    {"endless field", kStart + std::string(1'200'000, 'a'), 431},
    // In the body, with the response not begun.
    {"bad chunk size", kChunked + "x\r\n\r\n", 400},
    {"negative chunk size", kChunked + "-1\r\na\r\n", 400},
    {"0x chunk size", kChunked + "0x1\r\na\r\n0\r\n\r\n", 400},
    {"huge chunk size", kChunked + "10000000000000000\r\na\r\n", 400},
    {"chunk longer than told", kChunked + "1\r\nab\r\n0\r\n\r\n", 400},
    {"chunk size with bare LF", kChunked + "1\nab\r\n0\r\n\r\n", 400},
    {"chunk size with space", kChunked + "1 \r\na\r\n0\r\n\r\n", 400},
    {"bare LF in a quoted extension", kChunked + "1;a=\"\n\"\r\na\r\n0\r\n\r\n", 400},
    {"bare CR in an extension", kChunked + "1;a\rb\r\na\r\n0\r\n\r\n", 400},
    {"long extension", kChunked + "1;" + std::string(1000, 'a') + "\r\na\r\n0\r\n\r\n", 400},
    {"endless extension", kChunked + "1;" + std::string(200'000, 'a'), 431},
    {"chunks that are mostly extension", many_tiny_chunks(), 400},
    {"length as trailer", kChunked + "0\r\nContent-Length: 1\r\n\r\n", 400},
    {"coding as trailer", kChunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"folded trailer", kChunked + "0\r\na: b\r\n c\r\n\r\n", 400},
    {"bad trailer", kChunked + "0\r\na b\r\n\r\n", 400},
    {"large trailers", kChunked + "0\r\na: " + std::string(200'000, 'b') + "\r\n\r\n", 431},
};

struct Outcome {
  std::string answer;
  std::string body;
  bool closed;
  std::size_t requests;
  bool failed;
};

// `cut`: the bytes come one by one.
Outcome play(const std::string& bytes, bool cut) {
  Wire wire;
  Requests requests;
  bool gone = false;
  auto server = serve_http1(wire.loop, std::move(wire.under_test), requests, {}, [&] { gone = true; });
  if (cut) {
    wire.send_by_bytes(bytes);
  } else {
    wire.send(bytes);
  }
  Outcome outcome{.answer = wire.receive(), .requests = requests.items.size()};
  wire.advance(std::chrono::seconds(3));
  outcome.closed = gone && wire.closed;
  outcome.failed = !requests.items.empty() && requests.items[0]->failed;
  return outcome;
}

void expect_refusal(const Case& c, bool cut) {
  SCOPED_TRACE(std::string(c.name) + (cut ? ", byte by byte" : ""));
  const Outcome outcome = play(c.bytes, cut);
  EXPECT_TRUE(outcome.answer.starts_with("HTTP/1.1 " + std::to_string(c.status) + " ")) << outcome.answer;
  EXPECT_NE(outcome.answer.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_NE(outcome.answer.find("\r\n\r\n{\"kind\":\"Status\""), std::string::npos);
  EXPECT_TRUE(outcome.closed);
  const bool in_body = c.bytes.starts_with(kChunked);
  EXPECT_EQ(outcome.requests, in_body ? 1U : 0U);
  EXPECT_EQ(outcome.failed, in_body);
}

TEST(Http1Malformed, IsRefusedWithAReason) {
  for (const Case& c : kRefused) expect_refusal(c, false);
}

TEST(Http1Malformed, IsRefusedHoweverItIsCut) {
  for (const Case& c : kRefused) {
    if (c.bytes.size() < 2000) expect_refusal(c, true);
  }
}

struct Accepted {
  const char* name;
  std::string bytes;
  std::string authority;
  std::string target;
};

const Accepted kAccepted[] = {
    {"no white space", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", "a", "/"},
    {"much white space", "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", "a", "/"},
    {"port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "[::1]:80", "/"},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "", "/"},
    {"absolute form", "GET http://b.c:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "b.c:1", "/x?y"},
    {"absolute form without path", "GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", "b", "/"},
    {"absolute form with query only", "GET http://b?q=/ HTTP/1.1\r\nHost: a\r\n\r\n", "b", "/?q=/"},
    {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", "*"},
    {"absolute asterisk", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "b", "*"},
    {"one empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "a", "/"},
    {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "", "/"},
    {"UTF-8", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\nx: \xc3\xa4\r\n\r\n", "a", "/\xc3\xa4"},
    {"odd method", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", "a", "/"},
};

TEST(Http1WellFormed, IsAccepted) {
  for (const Accepted& c : kAccepted) {
    for (const bool cut : {false, true}) {
      SCOPED_TRACE(c.name);
      Wire wire;
      Requests requests;
      requests.on = [](auto& item) { send(*item.server, {.body = "x"}); };
      auto server = serve_http1(wire.loop, std::move(wire.under_test), requests, {}, [] {});
      if (cut) {
        wire.send_by_bytes(c.bytes);
      } else {
        wire.send(c.bytes);
      }
      EXPECT_TRUE(wire.receive().starts_with("HTTP/1.1 200 OK\r\n"));
      ASSERT_EQ(requests.items.size(), 1U);
      EXPECT_EQ(requests.items[0]->head.authority, c.authority);
      EXPECT_EQ(requests.items[0]->head.target, c.target);
    }
  }
}

}  // namespace
}  // namespace towline::http
