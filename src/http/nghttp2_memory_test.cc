#include "http/nghttp2_memory.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

namespace towline::http {
namespace {

constexpr std::size_t kFrame = 16 * 1024 + 10;

class Nghttp2MemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (memory == nullptr) GTEST_SKIP() << "the sanitizer's own memory is in use";
  }
  // As nghttp2 takes its buffers.
  void* take(std::size_t size) { return memory->realloc(nullptr, size, nullptr); }
  void give_back(void* block) { memory->free(block, nullptr); }

  nghttp2_mem* memory = nghttp2_memory();
};

TEST_F(Nghttp2MemoryTest, AFrameBufferThatIsHardlyWrittenHoldsOnePage) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) {
    blocks.push_back(take(kFrame));
    std::memset(blocks.back(), 1, 100);
  }
  ASSERT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back()) % page, 0U);
  std::array<unsigned char, 4> resident{};
  ASSERT_EQ(::mincore(blocks.back(), resident.size() * page, resident.data()), 0);
  EXPECT_EQ(resident[0] & 1, 1);
  EXPECT_EQ(resident[1] & 1, 0);
  for (void* block : blocks) give_back(block);
}

TEST_F(Nghttp2MemoryTest, BlocksDoNotOverlapAndComeBack) {
  void* const a = take(kFrame);
  void* const b = take(kFrame);
  std::memset(a, 1, kFrame);
  std::memset(b, 2, kFrame);
  EXPECT_EQ(static_cast<char*>(a)[kFrame - 1], 1);
  give_back(b);
  EXPECT_EQ(take(kFrame), b);
  give_back(a);
  give_back(b);
}

TEST_F(Nghttp2MemoryTest, ABlockKeepsItsBytesWhenItGrows) {
  void* block = take(kFrame);
  std::memset(block, 3, kFrame);
  block = memory->realloc(block, 64 * 1024, nullptr);
  EXPECT_EQ(static_cast<char*>(block)[kFrame - 1], 3);
  block = memory->realloc(block, 128 * 1024, nullptr);
  EXPECT_EQ(static_cast<char*>(block)[kFrame - 1], 3);
  give_back(block);
}

}  // namespace
}  // namespace towline::http
