#include "io/file_watcher.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <unistd.h>

#include <gtest/gtest.h>

namespace towline::io {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() {
    std::string name = (fs::temp_directory_path() / "file_watcher_XXXXXX").string();
    folder = ::mkdtemp(name.data());
    write("cert", "old");
    watcher.emplace(loop, std::vector<std::string>{folder / "cert", folder / "key"}, seconds(10),
                    [this] { on_change(); });
  }
  ~FileWatcherTest() override { fs::remove_all(folder); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / (name + ".new")) << text;
    fs::rename(folder / (name + ".new"), folder / name);
  }
  int changes_after_interval() {
    changes = 0;
    clock.advance(seconds(10));
    loop.poll();
    return changes;
  }

  FakeClock clock;
  Loop loop{clock};
  fs::path folder;
  int changes = 0;
  Task on_change = [this] { ++changes; };
  std::optional<FileWatcher> watcher;
};

TEST_F(FileWatcherTest, IsQuietWhileNothingChanges) {
  EXPECT_EQ(changes_after_interval(), 0);
  EXPECT_EQ(changes_after_interval(), 0);
}

TEST_F(FileWatcherTest, SeesAReplacedFileEachTime) {
  write("cert", "new");
  EXPECT_EQ(changes_after_interval(), 1);
  EXPECT_EQ(changes_after_interval(), 0);
  write("cert", "own");
  EXPECT_EQ(changes_after_interval(), 1);
}

TEST_F(FileWatcherTest, SeesAFileThatIsWrittenInPlace) {
  std::ofstream(folder / "cert", std::ios::app) << "more";
  EXPECT_EQ(changes_after_interval(), 1);
}

TEST_F(FileWatcherTest, SeesFilesComeAndGo) {
  write("key", "k");
  EXPECT_EQ(changes_after_interval(), 1);
  fs::remove(folder / "key");
  EXPECT_EQ(changes_after_interval(), 1);
}

TEST_F(FileWatcherTest, ReportsSeveralChangesOnce) {
  write("cert", "new");
  write("key", "k");
  EXPECT_EQ(changes_after_interval(), 1);
}

TEST_F(FileWatcherTest, FollowsTheLinksOfKubernetes) {
  for (const char* version : {"v1", "v2"}) {
    fs::create_directory(folder / version);
    std::ofstream(folder / version / "token") << "same size";
  }
  fs::create_directory_symlink("v1", folder / "..data");
  watcher.emplace(loop, std::vector<std::string>{folder / "..data" / "token"}, seconds(10),
                  [this] { ++changes; });
  EXPECT_EQ(changes_after_interval(), 0);
  fs::create_directory_symlink("v2", folder / "..new");
  fs::rename(folder / "..new", folder / "..data");
  EXPECT_EQ(changes_after_interval(), 1);
}

TEST_F(FileWatcherTest, MayBeDestroyedInItsCallback) {
  on_change = [this] {
    ++changes;
    watcher.reset();
  };
  write("cert", "new");
  EXPECT_EQ(changes_after_interval(), 1);
  EXPECT_EQ(changes_after_interval(), 0);
}

}  // namespace
}  // namespace towline::io
