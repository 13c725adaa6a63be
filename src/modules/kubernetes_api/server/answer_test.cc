#include "modules/kubernetes_api/server/answer.h"

#include <initializer_list>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/kubernetes_api/server/request_header.h"
#include "modules/kubernetes_api/wire.h"

namespace towline::kubernetes_api {
namespace {

using ::testing::HasSubstr;

using Fields = std::initializer_list<std::pair<std::string, std::string>>;

std::string answer(int status, Fields fields = {}) {
  ::gitlab::agent::grpctool::HttpResponse message;
  auto& response = *message.mutable_header()->mutable_response();
  response.set_status_code(status);
  for (const auto& [name, value] : fields) (*response.mutable_header())[name].add_value(value);
  return message.SerializeAsString();
}

Result<http::ResponseHead> read(const std::string& message, std::string_view upgrade = "") {
  return read_answer(message, {.upgrade = upgrade, .prefix = "/proxy"});
}

TEST(Answer, HasAStatusThatAnswersHave) {
  for (const int status : {200, 204, 304, 404, 500, 599}) EXPECT_EQ(read(answer(status))->status, status);
  for (const int status : {-1, 0, 99, 100, 101, 103, 199, 600, 1000, 2147483647}) {
    const auto head = read(answer(status));
    ASSERT_FALSE(head) << status;
    EXPECT_EQ(head.error().code(), Code::kUnavailable);
  }
  EXPECT_EQ(read(answer(101, {{"Upgrade", "SPDY/3.1"}}), "SPDY/3.1")->upgrade, "SPDY/3.1");
}

TEST(Answer, HasFieldsThatHttpAllows) {
  for (const auto& [name, value] : Fields{{":status", "200"},
                                          {"", "x"},
                                          {"a b", "x"},
                                          {"a\r\nb", "x"},
                                          {"a", "x\r\ny"},
                                          {"a", std::string("\0", 1)},
                                          {"a\xe9", "x"}}) {
    EXPECT_FALSE(read(answer(200, {{name, value}}))) << name;
  }
  EXPECT_EQ(read(answer(200, {{"X-Name", "caf\xe9"}}))->headers.get("x-name"), "caf\xe9");
  EXPECT_FALSE(read("\x0a\xff"));
}

TEST(Answer, HasALengthOfDigitsOrNone) {
  EXPECT_EQ(read(answer(200, {{"Content-Length", "12"}}))->content_length, 12U);
  EXPECT_EQ(read(answer(200))->content_length, std::nullopt);
  for (const char* text :
       {"-5", "+5", "", " 5", "5 ", "0x5", "5,5", "99999999999999999999", "9223372036854775808"}) {
    EXPECT_FALSE(read(answer(200, {{"Content-Length", text}}))) << text;
  }
  EXPECT_FALSE(read(answer(200, {{"Content-Length", "1"}, {"content-length", "2"}})));
}

TEST(Answer, SaysNothingForTheOriginOnWhichTheClientSeesIt) {
  const auto head = read(answer(200, {{"Set-Cookie", "__Host-towline_session=x"},
                                      {"Clear-Site-Data", "*"},
                                      {"Strict-Transport-Security", "max-age=1"},
                                      {"Alt-Svc", "h3"},
                                      {"NEL", "{}"},
                                      {"Report-To", "{}"},
                                      {"Reporting-Endpoints", "x"},
                                      {"Service-Worker-Allowed", "/"},
                                      {"Public-Key-Pins", "x"},
                                      {"Access-Control-Allow-Origin", "*"},
                                      {"X-Forwarded-For", "1.2.3.4"},
                                      {"Trailer", "x"},
                                      {"Connection", "x-hop"},
                                      {"X-Hop", "1"},
                                      {"Keep-Alive", "1"},
                                      {"Etag", "\"1\""}}));
  ASSERT_TRUE(head);
  std::string names;
  for (const auto& [name, value] : head->headers) names += std::string(name) + " ";
  EXPECT_EQ(names, "etag content-security-policy x-content-type-options x-accel-buffering ");
  EXPECT_EQ(head->headers.get("content-security-policy"), "sandbox");
}

TEST(Answer, LeadsRedirectsThroughTheProxy) {
  for (const int status : {201, 301, 302, 303, 307, 308}) {
    EXPECT_EQ(read(answer(status, {{"Location", "/api/v1/x?y=/z"}}))->headers.get("location"),
              "/proxy/api/v1/x?y=/z");
  }
  for (const char* elsewhere : {"//host/x", "https://host/x", "x", "../x", "?x", ""}) {
    EXPECT_EQ(read(answer(302, {{"Location", elsewhere}}))->headers.get("location"), elsewhere);
  }
  EXPECT_EQ(read(answer(200, {{"Location", "/x"}}))->headers.get("location"), "/x");
  EXPECT_EQ(read(answer(200, {{"Content-Location", "/x"}}))->headers.get("content-location"), "/proxy/x");
  EXPECT_EQ(read(answer(200, {{"Refresh", "5; url=/x"}}))->headers.get("refresh"), "5; url=/proxy/x");
  EXPECT_EQ(read(answer(200, {{"Refresh", "0; URL='/x'"}}))->headers.get("refresh"), "0; URL='/proxy/x'");
  EXPECT_EQ(read(answer(200, {{"Refresh", "5"}}))->headers.get("refresh"), "5");
}

::gitlab::agent::grpctool::HttpRequest::Header sent(http::RequestHead head,
                                                    const std::string& prefix = "/proxy") {
  ::gitlab::agent::grpctool::HttpRequest message;
  EXPECT_TRUE(message.ParseFromString(request_header(head, false, prefix, "")));
  return message.header();
}

TEST(RequestHeader, CarriesTheTargetAsItCameAndInOriginalAgentsWords) {
  const auto header =
      sent({.method = "GET", .target = "/proxy/a%2Fb//./%2e?z=1&a=2&z=3&x&q=a+b;c&&n%e9=%e9"});
  EXPECT_EQ(header.request().raw_target(), "/a%2Fb//./%2e?z=1&a=2&z=3&x&q=a+b;c&&n%e9=%e9");
  EXPECT_EQ(header.request().url_path(), "/a/b//./.");
  EXPECT_EQ(header.request().query().at("z").value_size(), 2);
  EXPECT_EQ(header.request().query().at("q").value(0), "a b;c");
  EXPECT_EQ(header.request().query().at("n%e9").value(0), "\xe9");
  EXPECT_EQ(sent({.method = "GET", .target = "/proxy"}).request().raw_target(), "/");
  EXPECT_EQ(sent({.method = "GET", .target = "/proxy?x"}).request().raw_target(), "/?x");
}

TEST(RequestHeader, CarriesAnyBytesAndNothingThatOnlyServersSay) {
  const auto header =
      sent({.method = "GET",
            .target = "/proxy/",
            .headers = {{"x-name", "caf\xe9"}, {"x-remote-user", "admin"}, {"x-forwarded-for", "1"}}});
  ASSERT_EQ(header.request().header_size(), 1);
  EXPECT_EQ(header.request().header().at("X-Name").value(0), "caf\xe9");
}

}  // namespace
}  // namespace towline::kubernetes_api
