#include "base/files.h"

#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"

namespace towline {
namespace {

using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() { std::filesystem::create_directory(folder); }
  ~FilesTest() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder + "/" + name;
    EXPECT_TRUE(replace_file(path, text, 0600).ok());
    return path;
  }
  static std::string error_of(const std::string& path, std::size_t limit = kMaxFileSize) {
    const auto text = read_file(path, limit);
    return text ? "" : text.error().message();
  }

  const std::string folder = ::testing::TempDir() + "read_" + std::to_string(random_id());
};

TEST_F(FilesTest, AreReadWhole) {
  EXPECT_EQ(read_file(write("empty", "")).value(), "");
  const std::string long_text(100'000, 'x');
  EXPECT_EQ(read_file(write("long", long_text)).value(), long_text);
  EXPECT_EQ(read_file(write("full", "12345"), 5).value(), "12345");
}

TEST_F(FilesTest, OfTheKernelThatHaveNoSizeAreReadToo) {
  EXPECT_THAT(read_file("/proc/self/cmdline").value(), HasSubstr("base_tests"));
}

TEST_F(FilesTest, WhatIsNoFileIsSaidByName) {
  EXPECT_EQ(error_of(folder), folder + ": is a folder, where a file is expected");
  EXPECT_EQ(error_of("/dev/zero"), "/dev/zero: is a device, where a file is expected");
  EXPECT_EQ(error_of(folder + "/none"), folder + "/none: No such file or directory");
  EXPECT_EQ(read_file(folder + "/none").error().code(), Code::kNotFound);
}

TEST_F(FilesTest, AFileOfAGigabyteIsRefusedWithoutReadingIt) {
  const std::string path = write("large", "");
  ASSERT_EQ(::truncate(path.c_str(), 1L << 30), 0);
  EXPECT_EQ(error_of(path), path + ": larger than 1048576 bytes");
  EXPECT_EQ(error_of(write("over", "123456"), 5), folder + "/over: larger than 5 bytes");
}

TEST_F(FilesTest, APipeIsRefusedAndDoesNotHoldTheProgram) {
  const std::string path = folder + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_of(path), path + ": is a pipe, where a file is expected");
}

TEST_F(FilesTest, APipeIsReadWhereItMayStand) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread writer([end = ends[1]] {
    EXPECT_EQ(::write(end, "tok", 3), 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(::write(end, "en", 2), 2);
    ::close(end);
  });
  EXPECT_EQ(read_file("/dev/fd/" + std::to_string(ends[0]), kMaxFileSize, Pipes::kRead).value(), "token");
  writer.join();
  ::close(ends[0]);
}

TEST(OneSecretTest, IsWithoutSpaceAround) {
  EXPECT_EQ(one_secret(" \tglagent-x\r\n\n").value(), "glagent-x");
}

TEST(OneSecretTest, WhatNoHeaderCanCarryIsRefusedInWords) {
  EXPECT_EQ(one_secret(" \n").error().message(), "is empty");
  EXPECT_THAT(one_secret("a\nb\n").error().message(), HasSubstr("line break"));
  EXPECT_THAT(one_secret("a\rb").error().message(), HasSubstr("control character"));
  EXPECT_THAT(one_secret(std::string("a\0b", 3)).error().message(), HasSubstr("control character"));
}

}  // namespace
}  // namespace towline
