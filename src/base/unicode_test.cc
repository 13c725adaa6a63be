#include "base/unicode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace towline {
namespace {

TEST(UnicodeTest, ReadsCharactersOfEachLength) {
  for (const auto& [text, code] : {std::pair<std::string, char32_t>{"a", 'a'},
                                   {"\xc2\x80", 0x80},
                                   {"\xc3\xa9", 0xe9},
                                   {"\xe2\x82\xac", 0x20ac},
                                   {"\xf0\x9f\x98\x80", 0x1f600}}) {
    EXPECT_EQ(first_character(text + "z").code, code);
    EXPECT_EQ(first_character(text).size, text.size());
  }
}

TEST(UnicodeTest, WhatIsNotUtf8IsOneByteEach) {
  for (const char* text : {"\x80", "\xff", "\xc0\x80", "\xc3", "\xc3z", "\xe0\x80\x80", "\xed\xa0\x80",
                           "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_EQ(first_character(text).code, 0xFFFDU) << text;
    EXPECT_EQ(first_character(text).size, 1U);
  }
}

TEST(LogTest, EscapesWhatATerminalActsOn) {
  std::vector<std::string> lines;
  const Logger log = Logger::to_vector(&lines);
  log.info(
      "\x1b[2J \xc2\x9b"
      "31m \xe2\x80\xae"
      "abc \xe2\x81\xa6 \xef\xbb\xbf \xe2\x80\xa8",
      {{"\xc2\x85key", "\x7f"}});
  EXPECT_EQ(lines.at(0), R"("\u001b[2J \u009b31m \u202eabc \u2066 \ufeff \u2028","\u0085key":"\u007f")");
}

TEST(LogTest, KeepsLettersOfAllScriptsAndMendsWhatIsNotUtf8) {
  std::vector<std::string> lines;
  const Logger log = Logger::to_vector(&lines);
  log.info(
      "Gr\xc3\xbc\xc3\x9f"
      "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x9a\x80 caf\xe9 \"x\\");
  EXPECT_EQ(lines.at(0),
            "\"Gr\xc3\xbc\xc3\x9f"
            "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x9a\x80 caf\\ufffd \\\"x\\\\\"");
}

}  // namespace
}  // namespace towline
