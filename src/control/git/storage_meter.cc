#include "control/git/storage_meter.h"

#include <algorithm>
#include <filesystem>
#include <sys/statvfs.h>

#include "control/git/repository_store.h"

namespace towline::control::git {
namespace {

// Projects come and go; what a total says of them may be so old.
constexpr std::chrono::seconds kTotalAge{60};

/// Limit: part of the data folder's file system that pushes and commits leave free, in percent and at least
/// 64 MiB, at most 4 GiB; they are refused.
constexpr std::uint64_t kReservePercent = 5;
constexpr std::uint64_t kMinReserve = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxReserve = std::uint64_t{4} << 30;

}  // namespace

std::uint64_t StorageMeter::measure(const std::string& folder) {
  namespace fs = std::filesystem;
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator each(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && each != fs::recursive_directory_iterator(); each.increment(error)) {
    std::error_code gone;  // Git removes files meanwhile
    // Objects of a push that is under way are counted when they stay.
    if (each.depth() == 1 && each->path().filename().string().starts_with("tmp_objdir"))
      each.disable_recursion_pending();
    if (!each->is_regular_file(gone) || gone) continue;
    const auto size = each->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

std::uint64_t StorageMeter::size(std::int64_t project_id) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = sizes_.find(project_id); known != sizes_.end()) return known->second;
  }
  const std::uint64_t bytes = measure(root_ + "/" + RepositoryStore::relative_path(project_id));
  const std::lock_guard lock(mutex_);
  return sizes_[project_id] = bytes;
}

Result<std::uint64_t> StorageMeter::total(std::int64_t owner, const Projects& projects) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    const auto known = totals_.find(owner);
    if (known != totals_.end() && now - known->second.counted < kTotalAge) return known->second.bytes;
  }
  auto all = projects();
  if (!all) return fail(all.error());
  std::uint64_t bytes = 0;
  for (const std::int64_t project : *all) bytes += size(project);
  const std::lock_guard lock(mutex_);
  totals_[owner] = {bytes, now};
  return bytes;
}

void StorageMeter::grew(std::int64_t owner, std::int64_t project_id, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (const auto known = sizes_.find(project_id); known != sizes_.end()) known->second += bytes;
  if (const auto known = totals_.find(owner); known != totals_.end()) known->second.bytes += bytes;
}

void StorageMeter::remeasure(std::int64_t owner, std::int64_t project_id) {
  const std::lock_guard lock(mutex_);
  sizes_.erase(project_id);
  totals_.erase(owner);
}

Status StorageMeter::check_room() const {
  struct statvfs system {};
  if (::statvfs(root_.c_str(), &system) != 0) return {};
  const std::uint64_t block = system.f_frsize;
  const std::uint64_t reserve =
      std::clamp(system.f_blocks * block / 100 * kReservePercent, kMinReserve, kMaxReserve);
  if (system.f_bavail * block >= reserve) return {};
  return {Code::kUnavailable,
          "The server's disk is nearly full: nothing can be pushed until its operator has "
          "made room (" +
              std::to_string(reserve >> 20) + " MiB stay free for its database)."};
}

}  // namespace towline::control::git
