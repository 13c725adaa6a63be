#include "cli/files.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace towline::cli {
namespace {

namespace fs = std::filesystem;

/// Limit: bytes of a file that towline reads; it is refused by name. A kubeconfig of many clusters is far
/// below.
constexpr std::size_t kMaxOwnFile = 16 * 1024 * 1024;

Status failed(int error, const fs::path& path, std::string_view doing) {
  Status status = errno_status(error, std::string(doing) + " " + path.string());
  // Which of errno's codes it was says nothing of the server: 404 and 403 have exit codes of their own.
  return {Code::kFailedPrecondition, status.message()};
}

// Through symbolic links to the file itself, which need not exist.
fs::path resolve(const fs::path& path) {
  std::error_code error;
  fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

}  // namespace

Result<std::optional<std::string>> read_if_exists(const fs::path& path) {
  auto text = towline::read_file(path.string(), kMaxOwnFile, Pipes::kRead);
  if (text) return std::move(*text);
  if (text.error().code() == Code::kNotFound) return std::nullopt;
  // Which of errno's codes it was says nothing of the server, as in failed().
  return fail(Code::kFailedPrecondition, "cannot read " + text.error().message());
}

Result<std::string> read_file(const fs::path& path) {
  auto text = read_if_exists(path);
  if (!text) return fail(text.error());
  if (!*text) return fail(failed(ENOENT, path, "cannot read"));
  return std::move(**text);
}

Status make_private_folder(const fs::path& folder) {
  if (folder.empty() || ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return failed(errno, folder, "cannot make the folder");
  if (Status status = make_private_folder(folder.parent_path()); !status.ok()) return status;
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return failed(errno, folder, "cannot make the folder");
}

Status write_atomically(const fs::path& path, std::string_view text, mode_t mode) {
  const fs::path target = resolve(path);
  if (Status status = make_private_folder(target.parent_path()); !status.ok()) return status;
  std::string name = target.string() + ".XXXXXX";
  const Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (file.get() < 0) return failed(errno, target, "cannot write");
  // Which of errno's codes it was says nothing of the server, as in failed().
  Status status = write_all(file.get(), text, target.string());
  if (!status.ok()) status = {Code::kFailedPrecondition, status.message()};
  if (status.ok() && ::fchmod(file.get(), mode) != 0) status = failed(errno, target, "cannot write");
  if (status.ok() && ::rename(name.c_str(), target.c_str()) != 0)
    status = failed(errno, target, "cannot write");
  if (!status.ok()) ::unlink(name.c_str());
  return status;
}

Result<FileLock> FileLock::wait(const fs::path& path) {
  if (Status status = make_private_folder(path.parent_path()); !status.ok()) return fail(status);
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail(failed(errno, path, "cannot open"));
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail(failed(errno, path, "cannot lock"));
  }
  return FileLock(std::move(file));
}

}  // namespace towline::cli
