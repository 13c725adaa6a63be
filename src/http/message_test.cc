#include "http/message.h"

#include <gtest/gtest.h>

namespace towline::http {
namespace {

TEST(Headers, KeepsOrderAndLowersNames) {
  Headers headers;
  headers.add("Content-Type", "text/plain");
  headers.add("X-A", "1");
  headers.add("x-a", "2");
  EXPECT_EQ(headers.get("content-type"), "text/plain");
  EXPECT_EQ(headers.get("x-a"), "1");
  EXPECT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers.at(2).value, "2");
}

TEST(Headers, SetReplacesAllAndRemoveSaysWhetherThereWasOne) {
  Headers headers{{"a", "1"}, {"b", "2"}, {"A", "3"}};
  headers.set("A", "4");
  EXPECT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers.get("a"), "4");
  EXPECT_TRUE(headers.remove("B"));
  EXPECT_FALSE(headers.remove("b"));
}

TEST(Headers, FindsTokensInListsWithoutCase) {
  const Headers headers{{"connection", "keep-alive, Upgrade"}};
  EXPECT_TRUE(headers.has_token("connection", "upgrade"));
  EXPECT_FALSE(headers.has_token("connection", "close"));
}

TEST(Headers, HopByHopFieldsAndWhatConnectionNamesGo) {
  Headers headers{{"connection", "close, X-Private"}, {"x-private", "1"}, {"te", "trailers"},
                  {"transfer-encoding", "chunked"},   {"accept", "*/*"},  {"upgrade", "h2c"}};
  remove_hop_by_hop(headers);
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers.at(0).name, "accept");
}

TEST(Headers, CanonicalNamesAreGoS) {
  EXPECT_EQ(canonical_name("content-type"), "Content-Type");
  EXPECT_EQ(canonical_name("x-csrf-token"), "X-Csrf-Token");
}

TEST(RequestHead, SplitsItsTarget) {
  RequestHead head;
  head.target = "/a/b?c=d?e";
  EXPECT_EQ(head.path(), "/a/b");
  EXPECT_EQ(head.query(), "c=d?e");
}

}  // namespace
}  // namespace towline::http
