#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "io/loop.h"

namespace towline::io {

/// Calls back when one of some files changes: certificates that are renewed, tokens that are rotated. It
/// looks at each file's time, size and inode every `interval`; symbolic links are followed, as Kubernetes
/// swaps mounted secrets by them. A file may be missing, appear and go.
///
/// What changed in one interval is one call. A certificate and its key may be seen half renewed: the owner
/// keeps what it had when they do not fit, and is called again when the other half comes. Make the watcher
/// before reading the files, so that no change falls in between. Lives on its loop.
class FileWatcher {
 public:
  /// The callback may destroy the watcher.
  FileWatcher(Loop& loop, std::vector<std::string> paths, std::chrono::milliseconds interval, Task on_change);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

 private:
  struct Watched;
  void look();

  std::vector<Watched> files_;
  std::chrono::milliseconds interval_;
  Task on_change_;
  bool* destroyed_ = nullptr;  // set while the callback runs
  Timer timer_;
};

}  // namespace towline::io
