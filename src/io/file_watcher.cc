#include "io/file_watcher.h"

#include <sys/stat.h>
#include <utility>

namespace towline::io {
namespace {

// What tells one content of a file from another. All zero: there is no file.
struct Stamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  time_t seconds = 0;
  long nanoseconds = 0;

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

Stamp stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

}  // namespace

struct FileWatcher::Watched {
  std::string path;
  Stamp stamp;
};

FileWatcher::FileWatcher(Loop& loop, std::vector<std::string> paths, std::chrono::milliseconds interval,
                         Task on_change)
    : interval_(interval), on_change_(std::move(on_change)), timer_(loop, [this] { look(); }) {
  for (std::string& path : paths) {
    const Stamp stamp = stamp_of(path);
    files_.push_back({std::move(path), stamp});
  }
  timer_.start(interval_);
}

FileWatcher::~FileWatcher() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void FileWatcher::look() {
  timer_.start(interval_);
  bool changed = false;
  for (Watched& file : files_) {
    const Stamp now = stamp_of(file.path);
    changed = changed || now != file.stamp;
    file.stamp = now;
  }
  if (!changed) return;
  bool destroyed = false;
  destroyed_ = &destroyed;
  // The callback leaves the watcher while it runs, as it may destroy the watcher.
  Task on_change = std::move(on_change_);
  on_change();
  if (destroyed) return;
  destroyed_ = nullptr;
  on_change_ = std::move(on_change);
}

}  // namespace towline::io
