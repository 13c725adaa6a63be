#include "base/stack.h"

#include <atomic>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/symbols.h"

namespace towline {

// Not in an unnamed namespace, and not inlined, so that they have names.
__attribute__((noinline)) void waits_on_purpose(const std::atomic<bool>& end, std::atomic<bool>& begun) {
  begun = true;
  while (!end) std::this_thread::yield();
}
__attribute__((noinline)) int calls_on_purpose(const std::atomic<bool>& end, std::atomic<bool>& begun) {
  waits_on_purpose(end, begun);
  return begun ? 1 : 2;  // no tail call
}

namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

struct Busy {
  std::atomic<bool> end{false};
  std::atomic<bool> begun{false};
  std::thread thread{[this] { calls_on_purpose(end, begun); }};
  Busy() {
    while (!begun) std::this_thread::yield();
  }
  ~Busy() {
    end = true;
    thread.join();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
};

TEST(StackTest, OfAnotherThreadHasItsFunctionsFromInsideOut) {
  StackReader reader;
  Busy busy;
  const std::string text = to_text(reader.read(busy.thread.native_handle(), std::chrono::seconds(60)));
  const auto inner = text.find("towline::waits_on_purpose(");
  const auto outer = text.find("towline::calls_on_purpose(");
  ASSERT_NE(inner, std::string::npos) << text;
  ASSERT_NE(outer, std::string::npos) << text;
  EXPECT_LT(inner, outer);
  EXPECT_THAT(text, ContainsRegex("\\(base_tests\\+0x[0-9a-f]+\\)"));
}

TEST(StackTest, TheThreadGoesOnAndIsReadAgain) {
  StackReader reader;
  Busy busy;
  for (int i = 0; i < 50; ++i)
    EXPECT_FALSE(reader.read(busy.thread.native_handle(), std::chrono::seconds(60)).empty());
}

TEST(StackTest, AThreadThatTakesNoSignalsIsGivenUp) {
  StackReader reader;
  std::atomic<bool> end{false}, begun{false};
  std::thread deaf([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    begun = true;
    while (!end) std::this_thread::yield();
  });
  while (!begun) std::this_thread::yield();
  EXPECT_TRUE(reader.read(deaf.native_handle(), std::chrono::milliseconds(20)).empty());
  end = true;
  deaf.join();
}

TEST(SymbolsTest, NameFunctionsOfLibrariesToo) {
  Symbols symbols;
  EXPECT_THAT(symbols.name_of(reinterpret_cast<std::uintptr_t>(&::getpid)), HasSubstr("+0x"));
}

TEST(SymbolsTest, AnAddressOfNoFileIsANumber) {
  Symbols symbols;
  EXPECT_EQ(symbols.name_of(16), "0x10");
}

}  // namespace
}  // namespace towline
