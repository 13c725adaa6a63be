#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/kubernetes_api/server/proxy.h"
#include "modules/kubernetes_api/server/proxy_test_support.h"

namespace towline::kubernetes_api {
namespace {

std::string answer_of_length(std::size_t length) {
  ::gitlab::agent::grpctool::HttpResponse message;
  auto& response = *message.mutable_header()->mutable_response();
  response.set_status_code(200);
  (*response.mutable_header())["Content-Length"].add_value(std::to_string(length));
  return message.SerializeAsString();
}

TEST_F(ProxyTest, CutsAnAnswerThatIsLongerThanItsContentLength) {
  Client& client = ask();
  deliver(answer_of_length(4));
  deliver(data("1234"));
  deliver(data("GET / HTTP/1.1"));
  EXPECT_EQ(client.body, "1234");
  client.unsent = 0;
  client.handler->on_sent(4);
  EXPECT_TRUE(client.reset);
  EXPECT_FALSE(client.ended);
  EXPECT_TRUE(tunnels_->calls[0]->over);
}

TEST_F(ProxyTest, CutsAnAnswerThatIsShorterThanItsContentLength) {
  Client& client = ask();
  deliver(answer_of_length(5));
  deliver(data("1234"));
  deliver(std::string(ProtoPrefix::nested(kTrailer, 1, 0).text()));
  client.unsent = 0;
  client.handler->on_sent(4);
  EXPECT_TRUE(client.reset);
  EXPECT_FALSE(client.ended);
}

TEST_F(ProxyTest, OneUserHasAShareOfAnAgent) {
  options_.requests_per_user = 2;
  start();
  ask();
  Client& second = ask();
  Client& third = ask();
  EXPECT_FALSE(second.head);
  EXPECT_EQ(third.head->status, 429);
  EXPECT_TRUE(third.head->headers.has("retry-after"));
  ++plane_.generation;
  plane_.access = control::Access{.username = "bob"};
  EXPECT_FALSE(ask("/version", "", "pat:7:bobs").head) << "the share is each user's own";
  second.handler->on_failed(Status(Code::kCancelled, "gone"));
  settle();
  plane_.access = control::Access{.username = "ada"};
  EXPECT_FALSE(ask("/version", "", "pat:7:another").head) << "what has ended is given back";
}

TEST_F(ProxyTest, AShareIsGivenBackByAUserWhoHasAnotherNameMeanwhile) {
  options_.requests_per_user = 1;
  start();
  Client& running = ask();
  ++plane_.generation;
  plane_.access = control::Access{.username = "lovelace"};
  pass(seconds(2));
  EXPECT_FALSE(running.gone);
  running.handler->on_failed(Status(Code::kCancelled, "gone"));
  ++plane_.generation;
  plane_.access = control::Access{.username = "ada"};
  EXPECT_FALSE(ask().head);
}

// The bytes of a client that has died may stand before its end for ever.
TEST_F(ProxyTest, CutsAnUpgradedConnectionWhoseClusterTakesNothing) {
  Client& client = ask("/exec", "SPDY/3.1");
  answer(101);
  const std::string bytes(1000, 'x');
  tunnels_->calls[0]->held = kRelayBuffer;
  client.handler->on_body(grpc::message_view(bytes));
  pass(std::chrono::minutes(9), seconds(10));
  EXPECT_FALSE(client.reset) << "people pause";
  pass(std::chrono::minutes(12), seconds(10));
  EXPECT_TRUE(client.reset);
  EXPECT_TRUE(tunnels_->calls[0]->over);
}

TEST_F(ProxyTest, LeavesAnUpgradedConnectionAloneOnWhichNothingWaits) {
  Client& client = ask("/exec", "SPDY/3.1");
  answer(101);
  pass(std::chrono::hours(2), seconds(60));
  EXPECT_FALSE(client.reset);
}

TEST_F(ProxyTest, LeavesAnUpgradedConnectionAloneThatIsSlow) {
  Client& client = ask("/exec", "SPDY/3.1");
  answer(101);
  tunnels_->calls[0]->held = kRelayBuffer;
  client.handler->on_body(grpc::message_view("x"));
  for (int i = 0; i < 12; ++i) {
    pass(std::chrono::minutes(9), seconds(60));
    tunnels_->calls[0]->handler->on_sent(1);
  }
  EXPECT_FALSE(client.reset);
}

}  // namespace
}  // namespace towline::kubernetes_api
