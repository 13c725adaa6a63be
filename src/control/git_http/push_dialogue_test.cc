#include "control/git_http/push_dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace towline::control::git_http {
namespace {

using ::testing::HasSubstr;

const std::string kNone(40, '0');
const std::string kOne(40, '1');
const std::string kTwo(40, '2');

std::string packet(const std::string& payload) {
  char size[5];
  std::snprintf(size, sizeof size, "%04zx", payload.size() + 4);
  return size + payload;
}

TEST(PushDialogue, GoesOnHoweverItIsCut) {
  const std::string may = "pre-receive /r/objects/q\n" + kNone + " " + kOne + " refs/heads/a\n" + kOne + " " +
                          kNone + " refs/tags/b\n\n";
  const std::string move = "proc-receive\n" + packet(std::string("version=1\0push-options atomic\n", 30)) +
                           "0000" + packet(kOne + " " + kTwo + " refs/heads/a\n") + "0000";
  for (std::size_t cut = 0; cut < may.size(); ++cut) {
    PushDialogue dialogue;
    std::string reply;
    auto first = dialogue.take(may.substr(0, cut), reply);
    ASSERT_TRUE(first && !*first) << cut;
    const auto asked = dialogue.take(may.substr(cut), reply);
    ASSERT_TRUE(asked && *asked);
    EXPECT_FALSE((*asked)->moves);
    EXPECT_EQ((*asked)->quarantine, "/r/objects/q");
    ASSERT_EQ((*asked)->changes.size(), 2U);
    EXPECT_EQ((*asked)->changes[0].name, "refs/heads/a");
    EXPECT_TRUE((*asked)->changes[0].before.is_null());
    EXPECT_EQ((*asked)->changes[0].after.to_text(), kOne);
    EXPECT_TRUE((*asked)->changes[1].after.is_null());
    EXPECT_EQ(reply, "");
    const std::size_t other = cut % move.size();
    first = dialogue.take(move.substr(0, other), reply);
    ASSERT_TRUE(first && !*first) << other;
    const auto moves = dialogue.take(move.substr(other), reply);
    ASSERT_TRUE(moves && *moves);
    EXPECT_TRUE((*moves)->moves && (*moves)->atomic);
    EXPECT_THAT(reply, HasSubstr("version=1"));
    EXPECT_EQ((*moves)->changes.at(0).before.to_text(), kOne);
  }
}

TEST(PushDialogue, CountsWhatItDoesNotKeep) {
  PushDialogue dialogue;
  std::string reply;
  std::string text = "pre-receive \n";
  for (int i = 0; i < 3000; ++i) text += kNone + " " + kOne + " refs/heads/" + std::to_string(i) + "\n";
  for (std::size_t at = 0; at < text.size(); at += 20'000)
    ASSERT_TRUE(dialogue.take(text.substr(at, 20'000), reply).has_value());
  const auto asked = dialogue.take("\n", reply);
  ASSERT_TRUE(asked && *asked);
  EXPECT_EQ((*asked)->commands, 3000U);
  EXPECT_EQ((*asked)->changes.size(), kMaxCommands);
}

TEST(PushDialogue, NonsenseIsRefused) {
  for (const std::string& text : {std::string("hello\n"), std::string("pre-receive x\nabc\n"),
                                  "pre-receive x\n" + kNone + " " + kOne + "\n",
                                  std::string("proc-receive\nzzzz"), std::string("proc-receive\n0001"),
                                  "proc-receive\n" + packet("version=2\n"), std::string(100'000, 'x')}) {
    std::string reply;
    EXPECT_FALSE(PushDialogue().take(text, reply).has_value()) << text.substr(0, 40);
  }
}

TEST(PushDialogue, AnswersAreOneLineEach) {
  EXPECT_EQ(PushDialogue::refuse({"a\nrefused\naccepted", "b"}), "say a refused accepted\nsay b\nrefused\n");
  const std::vector<git::ReferenceChange> changes{{"refs/heads/a", {}, {}}, {"refs/heads/b", {}, {}}};
  EXPECT_EQ(PushDialogue::report(changes, {Status(), Status(Code::kPermissionDenied, "no\nway")}),
            packet("ok refs/heads/a\n") + packet("ng refs/heads/b no way\n") + "0000");
}

}  // namespace
}  // namespace towline::control::git_http
