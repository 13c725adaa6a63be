#include "web/handler.h"

#include <array>
#include <map>

#include <gtest/gtest.h>

#include "http/http1_test_support.h"

namespace towline::web {
namespace {

const std::string kLarge(300'000, 'j');

const std::array kAssets{
    Asset{.path = "/index.html",
          .content_type = "text/html; charset=utf-8",
          .etag = "i1",
          .content = "<html>",
          .gzip = "zipped"},
    Asset{.path = "/assets/a-1.js",
          .content_type = "text/javascript; charset=utf-8",
          .etag = "j1",
          .immutable = true,
          .content = kLarge,
          .gzip = "zipped js"},
    Asset{.path = "/favicon.svg", .content_type = "image/svg+xml", .etag = "f1", .content = "<svg/>"},
};

// A browser and the handler that talk over memory, through a narrow pipe.
struct Web : testing::Test {
  Web() {
    auto [a, b] = io::stream_pair(loop, 5000);
    server = http::serve_http1(loop, std::move(a), *handler, {}, [] {});
    client = http::connect_http1(loop, std::move(b), {}, [](Status) {});
  }
  http::Response get(std::string target, http::Headers headers = {}, std::string method = "GET",
                     std::string body = "") {
    std::optional<Result<http::Response>> result;
    const http::Request request{
        .head = {.method = method, .target = target, .authority = "a", .headers = std::move(headers)},
        .body = body};
    const auto operation =
        http::fetch(loop, *client, request, 1'000'000, [&](auto r) { result = std::move(r); });
    while (loop.poll() > 0) {
    }
    EXPECT_TRUE(result && result->has_value()) << target;
    return result && *result ? **result : http::Response{};
  }

  FakeClock clock;
  io::Loop loop{clock};
  std::unique_ptr<http::RequestHandler> handler = make_handler(kAssets);
  std::unique_ptr<http::ServerConnection> server;
  std::unique_ptr<http::ClientConnection> client;
};

TEST_F(Web, ServesFilesByTheirPaths) {
  const auto answer = get("/assets/a-1.js?x=1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kLarge);
  EXPECT_EQ(answer.headers.get("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/favicon.svg").body, "<svg/>");
}

TEST_F(Web, ServesThePageForEachOfItsViews) {
  for (const char* path : {"/", "/index.html", "/users/sign_in", "/root/demo/-/clusters",
                           "/a/b.c/d.e/-/clusters", "/-/user_settings/personal_access_tokens", "/root"}) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body, "<html>") << path;
    EXPECT_EQ(answer.headers.get("content-type"), "text/html; charset=utf-8");
  }
}

TEST_F(Web, RefusesFilesThatThereAreNot) {
  for (const char* path :
       {"/assets/a-2.js", "/assets/", "/robots.txt", "/.env", "/.git/config", "/index.php"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(Web, LetsHashedFilesBeKeptAndThePageBeAskedForAgain) {
  EXPECT_EQ(get("/assets/a-1.js").headers.get("cache-control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(get("/").headers.get("cache-control"), "no-cache");
  EXPECT_EQ(get("/favicon.svg").headers.get("cache-control"), "no-cache");
}

TEST_F(Web, SendsTheCompressedFormToWhoAcceptsIt) {
  const std::map<std::string, std::string> forms{
      {"gzip", "zipped"}, {"br, gzip;q=0.5", "zipped"}, {"deflate,gzip", "zipped"},
      {"br", "<html>"},   {"gzip;q=0", "<html>"},       {"gzip; q=0.000", "<html>"},
      {"", "<html>"},     {"xgzip", "<html>"},
  };
  for (const auto& [accepted, body] : forms) {
    const auto answer = get("/", {{"accept-encoding", accepted}});
    EXPECT_EQ(answer.body, body) << accepted;
    EXPECT_EQ(answer.headers.has("content-encoding"), body == "zipped");
    EXPECT_EQ(answer.headers.get("vary"), "Accept-Encoding");
  }
  const auto plain = get("/favicon.svg", {{"accept-encoding", "gzip"}});
  EXPECT_EQ(plain.body, "<svg/>");
  EXPECT_FALSE(plain.headers.has("vary"));
}

TEST_F(Web, SaysThatNothingHasChanged) {
  EXPECT_EQ(get("/").headers.get("etag"), "\"i1\"");
  EXPECT_EQ(get("/", {{"accept-encoding", "gzip"}}).headers.get("etag"), "\"i1.gz\"");
  for (const char* tags : {"\"i1\"", "\"x\", W/\"i1\"", "*"}) {
    const auto answer = get("/", {{"if-none-match", tags}});
    EXPECT_EQ(answer.status, 304) << tags;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.headers.get("etag"), "\"i1\"");
  }
  EXPECT_EQ(get("/", {{"if-none-match", "\"i1.gz\""}}).status, 200);
  EXPECT_EQ(get("/", {{"if-none-match", "i1"}}).status, 200);
}

TEST_F(Web, AnswersHeadWithoutBody) {
  http::Wire wire;
  auto raw = http::serve_http1(wire.loop, std::move(wire.under_test), *handler, {}, [] {});
  const std::string text = wire.exchange("HEAD /assets/a-1.js HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200 ")) << text;
  EXPECT_NE(text.find("Content-Length: 300000\r\n"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST_F(Web, RefusesOtherMethods) {
  const auto answer = get("/", {}, "POST", "x=1");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.get("allow"), "GET, HEAD");
}

TEST_F(Web, KeepsBrowsersStrict) {
  for (const char* path : {"/", "/assets/a-1.js", "/assets/none.js"}) {
    const auto answer = get(path);
    const std::string policy(answer.headers.get("content-security-policy").value_or(""));
    EXPECT_TRUE(policy.starts_with("default-src 'none';")) << path;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
    EXPECT_EQ(answer.headers.get("x-content-type-options"), "nosniff");
    EXPECT_EQ(answer.headers.get("x-frame-options"), "DENY");
    EXPECT_TRUE(answer.headers.has("referrer-policy"));
    EXPECT_TRUE(answer.headers.has("permissions-policy"));
  }
}

TEST_F(Web, SurvivesAReaderThatLeavesInTheMiddle) {
  http::Wire wire(5000);
  bool closed = false;
  auto raw = http::serve_http1(wire.loop, std::move(wire.under_test), *handler, {}, [&] { closed = true; });
  wire.send("GET /assets/a-1.js HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(closed);
  wire.raw.reset();
  wire.poll();
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace towline::web
