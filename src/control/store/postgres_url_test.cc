#include "control/store/postgres_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(DatabaseUrl, IsAUrlOrKeywords) {
  for (const char* text : {"postgresql://ada:a%20s%27%26cret@db.example.com:6543/towline?sslmode=require",
                           "host=db.example.com port=6543 user=ada password='a s\\'&cret' dbname=towline "
                           "sslmode=require"}) {
    const auto address = parse_postgres_url(Secret(text));
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(address->name, "PostgreSQL database towline at db.example.com:6543");
    EXPECT_THAT(address->connection.reveal(),
                AllOf(HasSubstr("password=a%20s%27%26cret"), HasSubstr("sslmode=require"),
                      HasSubstr("connect_timeout=5"), Not(HasSubstr(" "))));
  }
}

TEST(DatabaseUrl, WhatTheUrlSaysGoesBeforeOurDefaults) {
  const auto address = parse_postgres_url(Secret("postgresql://h/d?connect_timeout=77"));
  EXPECT_THAT(address->connection.reveal(),
              AllOf(HasSubstr("connect_timeout=77"), Not(HasSubstr("connect_timeout=5"))));
}

TEST(DatabaseUrl, AMalformedOneIsNotRepeated) {
  for (const char* text : {"mysql://ada:geheim@h/d", "postgresql://ada:geheim@h:port:5/d?geheim",
                           "postgresql://ada:gehe%zzim@h/d", "geheim", "host=h geheim=1"}) {
    const auto address = parse_postgres_url(Secret(text));
    ASSERT_FALSE(address.has_value()) << text;
    EXPECT_EQ(address.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(address.error().message(), AllOf(HasSubstr("malformed"), Not(HasSubstr("gehe"))));
  }
}

}  // namespace
}  // namespace towline::control
